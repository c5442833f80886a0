"""The contracts of sources, formats, checks and controllers, their options, and finding one by its name.

One file is one plugin and the file's name is its name; nothing is registered. A plugin is imported only when something names
it. Found in this order: built in (`healer.sources`, `healer.formats`, `healer.checks`, `healer.controllers`), the project's own
folders `sources/`, `checks/` and `controllers/`, entry points of the names of the built-in packages. Callers: `project` (what is
written), `supervise` (sources), `web` (formats), `dispatch` (controllers); checks are found by the source and the controller that look.
"""

from healer.plugins.calling import Quit, called, within
from healer.plugins.contracts import (
    NO_HEADERS,
    Blind,
    Check,
    CheckContext,
    Controller,
    ControllerContext,
    Element,
    Emit,
    Format,
    Greeting,
    Output,
    Push,
    Reading,
    Source,
    SourceContext,
    Wrong,
)
from healer.plugins.finding import (
    OWN_KINDS,
    BrokenPlugin,
    Kind,
    UnknownPlugin,
    builtin_names,
    check,
    entry_points,
    find,
    names,
    project_names,
)
from healer.plugins.options import (
    Duration,
    Options,
    SecretRef,
    Size,
    Wanted,
    check_options,
    conceal,
    describe,
    exactly_one,
    made_of,
    schemas,
)
from healer.plugins.rates import WITHIN_MAX_S, Rate, RateShape, RateText, rate_of
from healer.plugins.readings import look
from healer.plugins.threads import apart

__all__ = [
    "NO_HEADERS",
    "OWN_KINDS",
    "WITHIN_MAX_S",
    "Blind",
    "BrokenPlugin",
    "Check",
    "CheckContext",
    "Controller",
    "ControllerContext",
    "Duration",
    "Element",
    "Emit",
    "Format",
    "Greeting",
    "Kind",
    "Options",
    "Output",
    "Push",
    "Quit",
    "Rate",
    "RateShape",
    "RateText",
    "Reading",
    "SecretRef",
    "Size",
    "Source",
    "SourceContext",
    "UnknownPlugin",
    "Wanted",
    "Wrong",
    "apart",
    "builtin_names",
    "called",
    "check",
    "check_options",
    "conceal",
    "describe",
    "entry_points",
    "exactly_one",
    "find",
    "look",
    "made_of",
    "names",
    "project_names",
    "rate_of",
    "schemas",
    "within",
]
