"""The pages at `/ui`: what the API tells, made on the server for people with a browser, without a script.

`doors` has the table of pages and what stands before each of them, `views` what a page is made of. A page asks the very handlers that
the API has, behind the same permissions, and decides through the same functions: nothing is found out or decided here.
"""
