"""What autograd's steps do, by name: the one list that says which of them the backward rules can be trusted to pass.

A rule for ReLU, or for relevance, is right only if everything else on the way is what it takes it for. So these are lists of
what is allowed. A step that stands in none of them is refused, by the name of its layer.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

# Values move around, some are chosen, some are scaled by a number that does not depend on the input: Σ a·∂z/∂a = z.
MOVES = {
    "View", "Reshape", "ReshapeAlias", "UnsafeView", "Squeeze", "Unsqueeze", "Permute", "Transpose", "T",
    "Expand", "Repeat", "Flip", "Roll", "Clone", "Copy", "ToCopy", "Alias", "AsStrided", "Diagonal", "Cat",
    "Stack", "Split", "SplitWithSizes", "UnsafeSplit", "Unbind", "Select", "Slice", "Index", "IndexSelect",
    "Gather", "Unfold", "PixelShuffle", "PixelUnshuffle", "ConstantPadNd", "ReflectionPad1D", "ReflectionPad2D",
    "ReflectionPad3D", "ReplicationPad1D", "ReplicationPad2D", "ReplicationPad3D", "UpsampleBilinear2D",
    "UpsampleNearest1D", "UpsampleNearest2D", "UpsampleNearest3D", "MaxPool2DWithIndices", "MaxPool3DWithIndices",
    "AdaptiveMaxPool2D", "AdaptiveMaxPool3D", "Neg", "Mul", "Div", "torch::autograd::AccumulateGrad",
    "torch::autograd::Copy",
}  # fmt: skip

# Values are added up, each with the same weight.
SUMS = {
    "Add", "Sub", "Sum", "Mean", "AvgPool2D", "AvgPool3D", "AdaptiveAvgPool2D", "AdaptiveAvgPool3D",
    "MkldnnAdaptiveAvgPool2D",
}  # fmt: skip

# Dense layers and convolutions, as modules, functions or products of matrices.
LAYERS = {
    "Addmm", "Mm", "Mv", "Addmv", "Bmm", "Baddbmm", "Linear", "MkldnnLinear", "Convolution", "MkldnnConvolution",
    "CudnnConvolution", "ConvolutionOverrideable", "ThnnConv2D", "SlowConv3D",
}  # fmt: skip

# Normalizations with fixed statistics are linear, too; the others are not, but cut nothing.
NORMALIZES = {
    "NativeBatchNorm", "CudnnBatchNorm", "MiopenBatchNorm", "NativeLayerNorm", "NativeGroupNorm", "Softmax", "LogSoftmax",
}  # fmt: skip

# The largest of several values, one of which may be a constant zero: a ReLU in disguise, which a rule for ReLU would miss.
CHOOSES = {"Max", "Amax", "Sort", "Topk"}

# Activation functions that are linear on either side of zero.
RECTIFIES = {"Relu", "LeakyRelu", "PreluKernel"}

# Activation functions that are not, as torch's functions are called.
ACTIVATIONS = {
    "relu6", "elu", "selu", "celu", "gelu", "silu", "mish", "hardswish", "hardtanh", "softplus", "sigmoid",
    "tanh", "softsign",
}  # fmt: skip


def kind(step: Node) -> str:
    """A step's name without autograd's ending: "Relu" for ReluBackward0."""
    return step.name().partition("Backward")[0]


def graph_nodes(output: Tensor) -> Iterator[Node]:
    """Every step that autograd has recorded on the way to ``output``, each once, the last one first."""
    waiting = [output.grad_fn]
    seen = {None, *waiting}
    while waiting:
        node = waiting.pop()
        if node is not None:
            yield node
            for before, _ in node.next_functions:
                if before not in seen:
                    seen.add(before)
                    waiting.append(before)


def depends_on_input(output: Tensor) -> dict[Node, bool]:
    """For every step on the way to ``output``, whether an input takes part: a leaf that is no parameter."""
    depends: dict[Node, bool] = {}
    waiting = [output.grad_fn] if output.grad_fn is not None else []
    while waiting:
        node = waiting[-1]
        before = [source for source, _ in node.next_functions if source is not None]
        unknown = [source for source in before if source not in depends]
        if unknown:
            waiting += unknown
            continue
        leaf = getattr(node, "variable", None)
        depends[node] = any(depends[source] for source in before) or (
            leaf is not None and not isinstance(leaf, nn.Parameter)
        )
        waiting.pop()
    return depends


def is_product(step: Node, depends: dict[Node, bool]) -> bool:
    """Whether a step multiplies, or divides by, what depends on the input: two such things, or a mask made of one.

    depends: which steps depend on the input. A mask leaves no trace in the graph; it is known by its zeros and ones.
    """
    sources = [node is not None and depends[node] for node, _ in step.next_functions]
    name = kind(step)
    if name in LAYERS:
        factors = sources[1:] if name in ("Addmm", "Addmv", "Baddbmm") else sources[:2]
        return sum(factors) > 1
    if name == "Div":
        return len(sources) > 1 and sources[1]
    if name != "Mul" or all(sources):
        return name == "Mul"
    partners = (step._saved_self, step._saved_other)  # type: ignore[attr-defined]
    mask = next((t for t in partners if isinstance(t, Tensor)), None)
    if mask is None or mask.dtype == torch.bool:
        return mask is not None
    alike = tuple(mask.shape) == tuple(step._input_metadata[0].shape)  # type: ignore[attr-defined]
    return alike and bool(((mask == 0) | (mask == 1)).all())
