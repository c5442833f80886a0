"""Stands for the source of the collection ansible.eda."""


async def main(queue, args):
    """Tells nothing."""
