"""``lrp`` for any network: rules for single layers, run through branches, reused layers and functions without a module.

Instead of walking back layer by layer, let every layer give the value z that it always gives, but the gradient

    dz := z / (q + ε·sign(q)) · dq,    q = what the layer's rule has in the denominator (ε: z itself; z⁺: its positive part)

With g the gradient so defined, a·g of a layer's input is exactly its relevance: input × gradient is LRP. What comes between
the layers (ReLU, pooling, sums of branches, a layer used twice) has Σ a·∂z/∂a = z by itself, and needs no code at all. Rules
without such a q are called as they are and give R; then g = R / a.

No module is touched: a ``TorchFunctionMode`` sees each call of a layer's function, and autograd's graph says what happened in
between. Whatever keeps no such accounts is refused, by the name of the layer.
"""

from collections.abc import Callable, Mapping, Set
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from solutions.filters import evaluation_mode
from solutions.graph_steps import ACTIVATIONS, CHOOSES, MOVES, RECTIFIES, SUMS, kind
from solutions.layers import (
    STABILIZER,
    HandBack,
    Layer,
    Rule,
    merge_batchnorm,
    never_zero,
    stabilized,
    weighted_layers,
)
from solutions.lrp_shortcuts import BOX, EPSILON, HandBackOnSides, Shortcut
from solutions.sensitivity import input_gradient

Shortcuts = Mapping[Any, Shortcut]


def relevance_of_inputs(
    model: nn.Module,
    x: Tensor,
    target: Tensor | int | None,
    rules: Rule | Mapping[str, Rule],
    shortcuts: Shortcuts,
) -> Tensor:
    """The target's logit, handed back to the inputs; see ``lrp.lrp``.

    shortcuts: for the functions among the rules that need not be called as they stand.
    """
    network = _Propagation(model, rules, shortcuts)
    relevance = network.input_times_gradient(x, target)
    if network.dead_units_matter:
        network = _Propagation(model, rules, shortcuts, keep_dead=True)
        relevance = network.input_times_gradient(x, target)
    return relevance


_LAYER_FUNCTIONS = {
    F.linear, torch.conv1d, torch.conv2d, torch.conv3d,
    torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d,
}  # fmt: skip

# Steps of autograd's graph that keep Σ a·∂z/∂a = z. The sums among them follow the ε rule; other activation functions do not
# keep it, and relevance passes through them unchanged (Bach et al., sec. 2.4).
_KNOWN = MOVES | SUMS | CHOOSES | RECTIFIES

# The graph does not say what was written into a part of a tensor: fine when one of these functions has done it.
_WRITERS = {"__setitem__", "copy_", "zero_", "fill_", "relu", "relu_", "add_", "sub_", "pad"}
_WRITTEN = _KNOWN | {"torch::autograd::CopySlices"}


class _Propagation(TorchFunctionMode):
    """The model as a function of x whose gradient, times x, is relevance. Touches no module: it watches the calls."""

    def __init__(
        self,
        model: nn.Module,
        rules: Rule | Mapping[str, Rule],
        shortcuts: Shortcuts,
        keep_dead: bool = False,
    ) -> None:
        super().__init__()
        self.model, self.rules, self.shortcuts, self.keep_dead = model, rules, shortcuts, keep_dead
        self.given = list(rules.values()) if isinstance(rules, Mapping) else [rules]
        epsilons = [_parts(rule)[1].get("epsilon", STABILIZER) for rule in self.given]
        self.epsilon = min([STABILIZER, *epsilons])  # for sums and averages
        self.owners: dict[int, list[tuple[str, Layer]]] = {}
        for name, layer in weighted_layers(model):
            self.owners.setdefault(id(layer.weight), []).append((name, layer))
        self.dead_units_matter = False

    def input_times_gradient(self, x: Tensor, target: Tensor | int | None) -> Tensor:
        x = x.detach()
        if not all(self._shortcut(rule).proportional for rule in self.given):
            x = never_zero(x)
        return x * input_gradient(self._run, x, target)

    def _run(self, x: Tensor) -> Tensor:
        self.pixels = x
        self.follows_x: dict[Node | None, bool] = {x.grad_fn: True, None: False}
        self.latest: _Ran | None = None
        with evaluation_mode(self.model), _LayersUnderWay(self.model) as self.under_way, self:
            logits = self.model(x)
        self._admit(logits.grad_fn)  # whatever came about unseen, as in a scripted layer
        return logits

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        step: Any = None
        if func in _LAYER_FUNCTIONS:
            step = self._layer
        elif func is F.batch_norm:
            step = self._merged
        elif name.rstrip("_") in ACTIVATIONS or (name.rstrip("_") == "relu" and self.keep_dead):
            step = self._activation
        if step is not None and self._admit((args[0] if args else kwargs["input"]).grad_fn):
            return step(func, *args, **kwargs)
        result = func(*args, **kwargs)
        written = args[0] if name == "__setitem__" else result
        for part in (
            (written,) if isinstance(written, Tensor) else written if isinstance(written, tuple) else ()
        ):
            if isinstance(part, Tensor) and part.grad_fn not in self.follows_x:
                self._examine(part, _WRITTEN if name in _WRITERS else _KNOWN)
        return result

    # the steps of a network that depend on x, one method each

    def _layer(
        self, func: Any, input: Tensor, weight: Tensor, bias: Tensor | None = None, *rest: Any, **more: Any
    ) -> Tensor:
        """A dense or convolution layer: its rule decides."""
        owners = self.owners.get(id(weight))
        if owners is None:
            raise self._refusal(
                f"{func.__name__} with a weight that belongs to no dense or convolution layer"
            )
        if not torch.is_grad_enabled():
            raise self._refusal("a layer under torch.no_grad(), through which nothing comes back")
        call, rule = _Call(func, rest, more), self._rule([name for name, _ in owners])
        layers = [
            layer for _, layer in owners if layer.bias is bias
        ]  # those that share a weight may differ in it
        layer = layers[0] if layers else None
        if len(layers) > 1:
            layer = next((each for each in layers if call.fits(each)), layer)
        result = self._ruled(call, input, layer, weight, bias, rule)
        self.latest = _Ran(call, input, layer, rule, result, result.grad_fn)
        return result

    def _merged(self, func: Any, input: Tensor, mean: Tensor | None, *args: Any, **kwargs: Any) -> Tensor:
        """A batch normalization: one layer together with the one before it."""
        last = self.latest
        norms = (part for part in self.model.modules() if isinstance(part, _BatchNorm))
        bn = next((norm for norm in norms if mean is not None and norm.running_mean is mean), None)
        follows = last is not None and input is last.result and input.grad_fn is last.node
        if last is None or last.layer is None or bn is None or not follows:
            raise self._refusal(
                "a batch normalization that does not directly follow a dense or convolution layer"
            )
        layer = merge_batchnorm(last.layer, bn)
        return self._ruled(last.call, last.a, layer, layer.weight, layer.bias, last.rule)

    def _ruled(
        self, call: "_Call", a: Tensor, layer: Layer | None, weight: Tensor, bias: Tensor | None, rule: Rule
    ) -> Tensor:
        """The layer's own value, and the gradient that makes its rule true."""
        weight, bias = weight.detach(), None if bias is None else bias.detach()
        options, shortcut = _parts(rule)[1], self._shortcut(rule)
        if shortcut is BOX and not (
            isinstance(layer, _ConvNd) and layer.groups == 1 and not layer.transposed
        ):
            shortcut = BOX._replace(denominator=None)
        if not shortcut.proportional and a is not self.pixels:
            self.dead_units_matter = True
        if shortcut.denominator is not None:
            q = shortcut.denominator(call, a, weight, bias, **options)
            if shortcut is EPSILON:
                share = _share(q, options.get("epsilon", STABILIZER))
            else:
                z = call(a.detach(), weight, bias)
                share = z / stabilized(q.detach())
                q.data = z.data
            q.register_hook(lambda g: g * share)
        elif shortcut.sides is not None:
            sides = shortcut.sides(weight, bias, **options)
            q = HandBackOnSides.apply(a, call, sides, call(a.detach(), weight, bias))
        else:
            if layer is None or not call.fits(layer):
                raise self._refusal(
                    "a layer whose function is not called as the layer would, which only ε, γ and z⁺ can treat"
                )
            q = HandBack.apply(a, partial(rule, layer), call(a.detach(), weight, bias))
        self.follows_x[q.grad_fn] = True
        return q

    def _activation(self, func: Any, input: Tensor, *rest: Any, **more: Any) -> Tensor:
        """An activation function: relevance passes through it unchanged."""
        before = input.detach().clone()
        value = func(before, *rest, **more)
        in_place = value.data_ptr() == before.data_ptr()
        result = _PassOn.apply(input.clone() if in_place else input, value, self.keep_dead)
        self.follows_x[result.grad_fn] = True
        if in_place:
            result = input.copy_(result)
            self._admit(result.grad_fn, _WRITTEN)
        return result

    def _examine(self, result: Tensor, known: Set[str]) -> None:
        """Any other step: fine if it keeps Σ a·∂z/∂a = z; sums and averages follow the ε rule; else refused."""
        kinds: set[str] = set()
        if self._admit(result.grad_fn, known, kinds) and kinds & SUMS:
            share = _share(result, self.epsilon)
            result.register_hook(lambda g: g * share)

    def _admit(self, node: Node | None, known: Set[str] = _KNOWN, kinds: set[str] | None = None) -> bool:
        """Whether a step of the graph depends on x; collects the kinds of the new ones that do."""
        if node is not None and node not in self.follows_x:
            sources = [self._admit(before, known, kinds) for before, _ in node.next_functions]
            self.follows_x[node] = any(sources)
            if any(sources):
                step = kind(node)
                if step not in known:
                    raise self._refusal(f"the step {node.name()}")
                if (step == "Mul" and all(sources)) or (step == "Div" and sources[1]):
                    raise self._refusal("a product or quotient of two things that both depend on the input")
                if kinds is not None:
                    kinds.add(step)
        return self.follows_x[node]

    def _shortcut(self, rule: Rule) -> Shortcut:
        return self.shortcuts.get(_parts(rule)[0], Shortcut(proportional=False))

    def _rule(self, names: list[str]) -> Rule:
        if not isinstance(self.rules, Mapping):
            return self.rules
        for name in names:
            if name not in self.rules:
                raise ValueError(
                    f"There is no rule for layer {name!r}; there is one for {', '.join(self.rules)}."
                )
        if any(_parts(self.rules[name]) != _parts(self.rules[names[0]]) for name in names):
            raise ValueError(f"The layers {', '.join(names)} share one weight: give them the same rule.")
        return self.rules[names[0]]

    def _refusal(self, what: str) -> ValueError:
        """An error that names the layer that is at work."""
        name = self.under_way.innermost()
        where = f"Layer {name!r}" if name else "The model itself"
        return ValueError(f"{where}: LRP has no rule for {what}. Explain this network by gradients instead.")


class _Call(NamedTuple):
    """How a network calls a layer's function: with all that follows after weight and bias."""

    func: Callable[..., Tensor]
    rest: tuple[Any, ...]
    more: dict[str, Any]

    def __call__(self, a: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
        return self.func(a, w, b, *self.rest, **self.more)

    def fits(self, layer: Layer) -> bool:
        """Whether the layer itself would call so; a convolution that pads otherwise than with zeros does not."""
        if isinstance(layer, nn.Linear):
            own: tuple[Any, ...] = ()
        elif layer.transposed:
            own = (layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation)
        else:
            own = (layer.stride, layer.padding, layer.dilation, layer.groups)
        return (*self.rest, *self.more.values()) == own


class _Ran(NamedTuple):
    """The dense or convolution layer that ran last: how it was called, and what came of it."""

    call: _Call
    a: Tensor
    layer: Layer | None
    rule: Rule
    result: Tensor
    node: Node | None


class _LayersUnderWay:
    """While this lasts, hooks follow which layers of the model are at work; none is put on a layer itself."""

    def __init__(self, model: nn.Module) -> None:
        self.names = {module: name for name, module in model.named_modules()}
        self.stack: list[nn.Module] = []

    def __enter__(self) -> "_LayersUnderWay":
        self.handles: list[RemovableHandle] = [
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave, always_call=True),
        ]
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self.handles:
            handle.remove()

    def _enter(self, module: nn.Module, _inputs: Any) -> None:
        if module in self.names:
            self.stack.append(module)

    def _leave(self, module: nn.Module, _inputs: Any, _result: Any) -> None:
        if module in self.names:
            self.stack.pop()

    def innermost(self) -> str:
        """The name of the layer that was called last and has not returned; "" for the model itself."""
        return self.names[self.stack[-1]] if self.stack else ""


class _PassOn(torch.autograd.Function):
    """An activation's value a = f(z); backwards g = R / a above becomes g = R / z below, with the same R."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, value: Tensor, keep_dead: bool) -> Tensor:
        value = never_zero(value) if keep_dead else value.clone()
        ctx.save_for_backward(value / never_zero(z))
        return value

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> tuple[Tensor, None, None]:
        return g[0] * ctx.saved_tensors[0], None, None


def _share(z: Tensor, epsilon: float) -> Tensor:
    """z / (z + ε·sign(z)): how much of its relevance an output hands back under the ε rule."""
    size = z.detach().abs()
    return size / (size + epsilon)


def _parts(rule: Rule) -> tuple[Any, dict[str, Any]]:
    """A rule's function and its options; a function of its own, when it is no partial with options by name."""
    if isinstance(rule, partial) and not rule.args:
        return rule.func, rule.keywords
    return rule, {}
