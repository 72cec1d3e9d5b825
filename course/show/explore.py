"""Widgets: a picture that is drawn again whenever a control is moved."""

from collections.abc import Callable
from typing import Any

from course.judging import gaps
from course.show import in_notebook


def explore(draw: Callable[..., None], **controls: Any) -> None:
    """Call ``draw(name=value, …)`` with the values of the ipywidgets ``controls``, now and after every change.

    In scripts, and where nobody can turn a knob, it is drawn once. A draw that meets an open exercise says so.
    """
    if not in_notebook():
        draw(**{name: control.value for name, control in controls.items()})
        return
    import ipywidgets as widgets
    from IPython.display import display

    def kindly(**values: Any) -> None:
        try:
            draw(**values)
        except (NotImplementedError, NameError) as error:
            said = gaps.told(error)
            if said is None:
                raise
            print(said)

    knobs = widgets.HBox(list(controls.values()), layout=widgets.Layout(flex_flow="row wrap"))
    display(widgets.VBox([knobs, widgets.interactive_output(kindly, controls)]))
