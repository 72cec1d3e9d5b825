"""Widgets: a picture that is drawn again whenever a control is moved."""

from collections.abc import Callable, Sequence
from typing import Any

from course.judging import gaps
from course.show import can_be_moved


def explore(draw: Callable[..., None], **controls: Any) -> None:
    """Call ``draw(name=value, …)`` with the values of the ipywidgets ``controls``, now and after every change.

    In scripts, and where nobody can turn a knob, it is drawn once. A draw that meets an open exercise says so.
    """
    if not can_be_moved():
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


def explore_sentences(
    answer: Callable[[str], tuple[str, Callable[[], None] | None]], examples: Sequence[str]
) -> None:
    """A field to type a sentence into, or to take an example; nothing where nobody can type.

    answer(sentence) → (what to say of it, how to draw it); None leaves the last picture.
    """
    if not can_be_moved():
        return
    import ipywidgets as widgets
    from IPython.display import display

    field = widgets.Text(value=examples[0], description="sentence", layout=widgets.Layout(width="90%"))
    choice = widgets.Dropdown(options=list(examples), description="or take")
    notice, output = widgets.Label(), widgets.Output()

    def update(_: Any = None) -> None:
        notice.value, draw = answer(field.value)
        if draw is not None:
            output.clear_output(wait=True)
            with output:
                draw()

    field.observe(update, names="value")
    choice.observe(lambda change: setattr(field, "value", change["new"]), names="value")
    display(widgets.VBox([field, choice, notice, output]))
    update()
