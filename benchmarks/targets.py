"""Lines of a benchmark with a target each, and whether it was met."""


class Table:
    """Prints one line after the other. missed: how many targets were not met. widths: of what, value and target."""

    def __init__(self, *widths: int) -> None:
        self.missed, self.widths = 0, widths

    def line(self, what: str, value: str, target: str = "", met: bool | None = None) -> None:
        self.missed += met is False
        verdict = {True: "met", False: "NOT MET", None: ""}[met]
        first, second, third = self.widths
        print(f"{what:<{first}} {value:>{second}}   {target:<{third}} {verdict}", flush=True)
