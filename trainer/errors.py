"""Errors a user can act on: what happened, where, and the next step."""


class TrainerError(Exception):
    """Base of every error the toolkit raises on purpose; the command line prints it as one line and exits with 2."""

    def __init__(self, cause: str, *, where: str = "", hint: str = "") -> None:
        self.cause, self.where, self.hint = cause, where, hint
        super().__init__(f"{where}: {cause}" if where else cause, hint)

    def __str__(self) -> str:
        """Return the error as one line: where, what, next step."""
        line = f"{self.where}: {self.cause}" if self.where else self.cause
        if self.hint:
            line = f"{line.rstrip('.')}. {self.hint}"
        return " ".join(line.split())


class InputError(TrainerError):
    """An article or a label file that cannot be read."""


class ConfigError(TrainerError):
    """A configuration that names an unknown key or holds a wrong value."""


class ArtifactError(TrainerError):
    """A model folder that is missing, damaged or from another format."""


class ServerError(TrainerError):
    """Label Studio cannot be reached, or refuses what it was asked."""


class OutputError(TrainerError):
    """A file that cannot be written."""
