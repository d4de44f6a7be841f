"""Run the tests on every supported Python that is present: `nox`."""

import nox

nox.options.error_on_missing_interpreters = False


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """Install the package with its development extra and run the tests."""
    session.install("--constraint", "constraints.txt", "--editable", ".[dev]")
    session.run("pytest", *session.posargs)
