"""Chapter 2: what people write about filters, maps and fields, and other right ways."""

import math

import torch
import torch.nn.functional as F

from solutions.filters import evaluation_mode, feature_maps, top_activations

# ------------------------------------------------------------------------------------- normalize_filters


def normalizes_all_together(weight):
    """Your filters share one minimum and one maximum. That keeps them comparable, but a faint filter stays a flat grey square: look at which axes the minimum runs over."""
    return (weight - weight.min()) / (weight.max() - weight.min())


def normalizes_each_channel(weight):
    """You stretch every channel of a filter by itself. In a colour filter red, green and blue then lose their proportion, and its colour is no longer the filter's: a filter is one picture."""
    low, high = weight.amin((2, 3), keepdim=True), weight.amax((2, 3), keepdim=True)
    return torch.where(high > low, (weight - low) / (high - low).where(high > low, 1), 0.5)


def divides_by_the_largest(weight):
    """You divide by the largest absolute weight, so values run from −1 to 1. That shows the sign well on a diverging colour map, but the formula asks for 0 … 1."""
    return weight / weight.abs().amax((1, 2, 3), keepdim=True)


def forgets_the_constant_filter(weight):
    """A filter that is constant has maximum = minimum, and you divide 0 by 0 there: NaN. The docstring says what it should become."""
    low, high = weight.amin((1, 2, 3), keepdim=True), weight.amax((1, 2, 3), keepdim=True)
    return (weight - low) / (high - low)


def sends_the_constant_filter_to_zero(weight):
    """Right but for a filter that is constant: yours comes out black. It has no smallest and no largest place, so the docstring puts it in the middle."""
    low, high = weight.amin((1, 2, 3), keepdim=True), weight.amax((1, 2, 3), keepdim=True)
    return (weight - low) / (high - low).where(high > low, 1)


def puts_zero_in_the_middle(weight):
    """Your weight 0 is always grey, so most filters do not reach both black and white. That is a good picture where the sign matters; this formula stretches from the smallest weight to the largest."""
    return 0.5 + weight / (2 * weight.abs().amax((1, 2, 3), keepdim=True))


def divides_by_the_maximum_alone(weight):
    """The smallest weight has become 0, the largest not 1: after the minimum is taken off, what remains is as long as maximum minus minimum."""
    low, high = weight.amin((1, 2, 3), keepdim=True), weight.amax((1, 2, 3), keepdim=True)
    return torch.where(high > low, (weight - low) / high, 0.5)


def normalize_one_by_one(weight):
    pictures = torch.full_like(weight, 0.5)
    for n, w in enumerate(weight):
        if w.max() > w.min():
            pictures[n] = (w - w.min()) / (w.max() - w.min())
    return pictures


# ------------------------------------------------------------------------------------------ feature_maps


def _hooked(model, layer, x, keep):
    """A forward pass in evaluation mode; what `keep` makes of (inputs, output) is returned."""
    seen = {}
    hook = model.get_submodule(layer).register_forward_hook(lambda _, i, o: seen.update(maps=keep(i, o)))
    try:
        with evaluation_mode(model):
            model(x)
    finally:
        hook.remove()
    return seen["maps"]


def sees_after_the_inplace_relu(model, layer, x):
    """You keep the layer's own tensor, and the next layer, an in-place ReLU, writes zeros into it before you look: all your maps are ≥ 0. Keep a copy that stays in the graph."""
    return _hooked(model, layer, x, lambda _, output: output)


def keeps_what_went_in(model, layer, x):
    """These are the maps that went into the layer. A hook gets (module, inputs, output), in this order."""
    return _hooked(model, layer, x, lambda inputs, _: inputs[0].clone())


def detaches_the_maps(model, layer, x):
    """The values are right, but the maps have forgotten x: whoever wants a gradient back to the image (chapter 3 does) gets none. Look for `detach`, `.data`, `no_grad` or numpy."""
    return _hooked(model, layer, x, lambda _, output: output.detach().clone())


def leaves_its_hook(model, layer, x):
    """Your hook is still on the model: every later forward pass will call it again and keep its maps in memory. What `register_forward_hook` returns can take it off."""
    seen = {}
    model.get_submodule(layer).register_forward_hook(lambda _, i, o: seen.update(maps=o.clone()))
    with evaluation_mode(model):
        model(x)
    return seen["maps"]


def looks_while_training(model, layer, x):
    """You ran the model in training mode: batch normalization then uses this batch's statistics, and each look moves the stored ones. Look at it in evaluation mode."""
    seen = {}
    hook = model.get_submodule(layer).register_forward_hook(lambda _, i, o: seen.update(maps=o.clone()))
    model(x)
    hook.remove()
    return seen["maps"]


def forgets_the_mode(model, layer, x):
    """The maps are right, but the model was in training mode before and is in evaluation mode now. Whoever trains it next will wonder: give it its mode back."""
    maps = feature_maps(model, layer, x)
    model.eval()
    return maps


def keeps_the_first_run(model, layer, x):
    """Of a layer that runs twice, you keep the first run. The docstring says which one counts: let a later run replace an earlier one."""
    runs = []
    hook = model.get_submodule(layer).register_forward_hook(lambda _, i, o: runs.append(o.clone()))
    try:
        with evaluation_mode(model):
            model(x)
    finally:
        hook.remove()
    return runs[0]


def wakes_the_model_up(model, layer, x):
    """The maps are right, but a model that came in evaluation mode goes away in training mode. It should leave in the mode in which it came."""
    maps = feature_maps(model, layer, x)
    model.train()
    return maps


def gives_all_parts_one_mode(model, layer, x):
    """The maps are right, but parts of the model that came in another mode than the model as a whole now have its mode: a layer frozen for fine-tuning would be awake. Each part has a mode of its own."""
    before = model.training
    try:
        return feature_maps(model, layer, x)
    finally:
        model.train(before)


def leaves_its_hook_after_an_error(model, layer, x):
    """The maps are right, but where the forward pass fails, your hook stays on the model: an error jumps over the lines that follow. What must happen in any case belongs in a `finally`."""
    modules, seen = dict(model.named_modules()), {}
    if layer not in modules:
        raise ValueError(layer)
    hook = modules[layer].register_forward_hook(lambda _, i, o: seen.update(maps=o))
    with evaluation_mode(model):
        model(x)
    hook.remove()
    if not isinstance(seen.get("maps"), torch.Tensor):
        raise ValueError(layer)
    return feature_maps(model, layer, x)


def maps_by_context(model, layer, x):
    parts, maps = dict(model.named_modules()), []
    if layer not in parts:
        raise ValueError("no such layer")
    modes = [(module, module.training) for module in parts.values()]
    handle = parts[layer].register_forward_hook(lambda _, i, o: maps.append(o))
    try:
        later = parts[layer].register_forward_hook(
            lambda _, i, o: o.clone() if isinstance(o, torch.Tensor) else o
        )
        model.eval()(x)
    finally:
        handle.remove()
        later.remove()
        for module, mode in modes:
            module.training = mode
    if not maps or not isinstance(maps[-1], torch.Tensor):
        raise ValueError("nothing to see")
    return maps[-1]


# --------------------------------------------------------------------------------------- receptive_field


def updates_the_jump_first(layers):
    """You multiply the jump by this layer's stride before you use it. The steps inside a kernel are steps of the layer below: size and start still need the old jump."""
    size, jump, start = 1, 1, 0
    for kernel, stride, padding in layers:
        jump *= stride
        size += (kernel - 1) * jump
        start -= padding * jump
    return size, jump, start


def forgets_the_jump(layers):
    """You add k − 1 pixels for every layer, as if no layer had a stride. After a stride of 2, two neighbouring units lie two pixels apart in the image, so a kernel reaches twice as far."""
    size, jump, start = 1, 1, 0
    for kernel, stride, padding in layers:
        size += kernel - 1
        start -= padding
        jump *= stride
    return size, jump, start


def forgets_the_padding(layers):
    """Size and jump are right, but your first unit always starts at pixel 0. With padding it begins to the left of the image: every later crop would be off by that much."""
    size, jump = 1, 1
    for kernel, stride, _ in layers:
        size += (kernel - 1) * jump
        jump *= stride
    return size, jump, 0


def counts_padding_in_units(layers):
    """You subtract the padding as it stands. One unit of padding in a later layer is a whole jump of pixels in the image."""
    size, jump, start = 1, 1, 0
    for kernel, stride, padding in layers:
        size += (kernel - 1) * jump
        start -= padding
        jump *= stride
    return size, jump, start


def adds_whole_kernels(layers):
    """You add k·jump for every layer, so the field is too large: of a kernel's k pixels, one was counted already. Try a single 3×3 convolution: it must give 3."""
    size, jump, start = 1, 1, 0
    for kernel, stride, padding in layers:
        size += kernel * jump
        start -= padding * jump
        jump *= stride
    return size, jump, start


def gives_the_centre(layers):
    """Size and jump are right, but your start is the middle of unit 0's square. The docstring asks for its first row; from the middle it is half a square away."""
    size, jump, start = field_by_products(layers)
    return size, jump, start + (size - 1) / 2


def pads_to_the_right(layers):
    """Size and jump are right, but your padding moves the start to the right. Padding adds rows before the image, so the first unit begins further left: at a negative number."""
    size, jump, start = field_by_products(layers)
    return size, jump, -start


def reads_the_layers_backwards(layers):
    """You go through the layers from the last to the first with the step that is meant for the other order. What a kernel reaches grows with the strides of the layers below it."""
    return field_by_products(layers[::-1])


def field_by_products(layers):
    jumps = [math.prod(stride for _, stride, _ in layers[:depth]) for depth in range(len(layers) + 1)]
    size = 1 + sum((k - 1) * jump for (k, _, _), jump in zip(layers, jumps, strict=False))
    start = -sum(p * jump for (_, _, p), jump in zip(layers, jumps, strict=False))
    return size, jumps[-1], start


def field_from_the_top(layers):
    first, last, jump = 0, 0, 1
    for kernel, stride, padding in reversed(layers):
        first, last = first * stride - padding, last * stride - padding + kernel - 1
        jump *= stride
    return last - first + 1, jump, first


# --------------------------------------------------------------------------------------- top_activations


def _as_four(maps):
    return maps if maps.ndim == 4 else maps[:, :, None, None]


def lets_one_image_win_twice(maps, k):
    """You rank all places of all images together, so one image that a channel likes fills several ranks with nearly the same patch. Each image should count once, with its best place."""
    maps = _as_four(maps)
    _, channels, rows, columns = maps.shape
    values, place = maps.transpose(0, 1).reshape(channels, -1).topk(k, dim=1)
    inside = place % (rows * columns)
    return values, place // (rows * columns), inside // columns, inside % columns


def divides_by_the_rows(maps, k):
    """Values and images are right, row and column are not: a flat place counts through a whole row of columns before the next row begins. What do you divide by?"""
    maps = _as_four(maps)
    best, place = maps.flatten(2).max(2)
    values, image = best.topk(k, dim=0)
    place = place.gather(0, image)
    return values.T, image.T, place.T // maps.shape[2], place.T % maps.shape[2]


def ranks_by_the_mean(maps, k):
    """You rank images by their mean over the map. A channel that fires hard at one small place then loses against one that is lukewarm everywhere: rank by the best place."""
    maps = _as_four(maps)
    place = maps.flatten(2).argmax(2)
    mean = maps.flatten(2).mean(2)
    values, image = mean.topk(k, dim=0)
    place = place.gather(0, image)
    return values.T, image.T, place.T // maps.shape[3], place.T % maps.shape[3]


def begins_with_the_weakest(maps, k):
    """The right k images, in the wrong order: the strongest should come first."""
    return tuple(each.flip(1) for each in top_activations(maps, k))


def finds_the_weakest(maps, k):
    """These are the images that each channel likes least. Sorting ascends unless it is told otherwise."""
    maps = _as_four(maps)
    best, place = maps.flatten(2).max(2)
    values, image = best.topk(k, dim=0, largest=False)
    place = place.gather(0, image)
    return values.T, image.T, place.T // maps.shape[3], place.T % maps.shape[3]


def swaps_row_and_column(maps, k):
    """Values and images are right, but row and column have changed places."""
    values, image, row, col = top_activations(maps, k)
    return values, image, col, row


def puts_ranks_before_channels(maps, k):
    """The numbers are right but lie on their side: (k, channels). Each row should belong to a channel and each column to a rank."""
    return tuple(each.T for each in top_activations(maps, k))


def ranks_by_size_alone(maps, k):
    """You rank by the absolute value. A unit that answers −5 is not excited but silenced: the largest value counts, with its sign."""
    maps = _as_four(maps)
    size, place = maps.abs().flatten(2).max(2)
    values, image = size.topk(k, dim=0)
    place = place.gather(0, image)
    return values.T, image.T, place.T // maps.shape[3], place.T % maps.shape[3]


def top_by_sorting(maps, k):
    if k < 1 or k > len(maps):
        raise ValueError("k")
    maps = _as_four(maps)
    answers = []
    for channel in range(maps.shape[1]):
        found = []
        for n, a in enumerate(maps[:, channel]):
            row = int(a.amax(1).argmax())
            found.append((float(a.max()), n, row, int(a[row].argmax())))
        answers.append(sorted(found, reverse=True)[:k])
    table = torch.tensor(answers, dtype=torch.float64)
    return table[..., 0].to(maps.dtype), table[..., 1].long(), table[..., 2].long(), table[..., 3].long()


# -------------------------------------------------------------------------------------------- crop_patch


def _patch(image, top, left, size):
    height, width = image.shape[-2:]
    padded = F.pad(image, (size, size, size, size))
    top, left = (min(max(edge + size, 0), side + size) for edge, side in ((top, height), (left, width)))
    return padded[:, top : top + size, left : left + size]


def ignores_the_jump(image, row, col, field):
    """You step one pixel per unit. Two neighbouring units look `jump` pixels apart."""
    size, _, start = field
    return _patch(image, start + row, start + col, size)


def ignores_the_start(image, row, col, field):
    """You begin at row·jump, as if unit 0 began at pixel 0. The field's `start` says where it really begins."""
    size, jump, _ = field
    return _patch(image, row * jump, col * jump, size)


def centres_the_field(image, row, col, field):
    """You put the patch around the point start + row·jump. That point is the patch's first pixel, not its middle."""
    size, jump, start = field
    return _patch(image, start + row * jump - size // 2, start + col * jump - size // 2, size)


def swaps_row_and_col(image, row, col, field):
    """Row and column changed places: in a tensor (channels, height, width) the row comes first, although x comes first in (x, y)."""
    size, jump, start = field
    return _patch(image, start + col * jump, start + row * jump, size)


def pushes_the_patch_inside(image, row, col, field):
    """At the edge you move the patch until it lies inside the image. It then shows pixels that the unit never saw, and hides that it looked at padding: fill with 0 instead."""
    size, jump, start = field
    height, width = image.shape[-2:]
    top = min(max(start + row * jump, 0), height - size)
    left = min(max(start + col * jump, 0), width - size)
    return image[:, top : top + size, left : left + size]


def pastes_into_the_corner(image, row, col, field):
    """Where the field begins outside the image, you paste what is left of it into the patch's top left corner. The padding lies on that side, so the image's first pixel belongs further down or to the right."""
    size, jump, start = field
    top, left = start + row * jump, start + col * jump
    inside = image[:, max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)]
    patch = image.new_zeros(len(image), size, size)
    patch[:, : inside.shape[1], : inside.shape[2]] = inside
    return patch


def cuts_at_the_edge(image, row, col, field):
    """At the edge your patch is only as large as what the image still has. Patches of different sizes cannot be stacked, and nobody sees that the unit looked at padding: what lies outside counts, as 0."""
    size, jump, start = field
    top, left = start + row * jump, start + col * jump
    return image[:, max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)]


def counts_from_the_end(image, row, col, field):
    """Your slice begins at a negative number where the field begins outside the image. Python takes that for a place counted from the end, and gives an empty patch or a wrong one."""
    size, jump, start = field
    top, left = start + row * jump, start + col * jump
    return image[:, top : top + size, left : left + size]


def fills_with_the_edge(image, row, col, field):
    """What lies outside the image repeats its edge in your patch. The unit looked at padding there, and a convolution's padding is 0."""
    size, jump, start = field
    top, left, (height, width) = start + row * jump, start + col * jump, image.shape[-2:]
    rows = torch.arange(size).add(int(top)).clamp(0, height - 1)
    columns = torch.arange(size).add(int(left)).clamp(0, width - 1)
    return image[:, rows][:, :, columns]


def steps_through_the_field(image, row, col, field):
    """You take every jump-th pixel. The jump lies between the squares of two neighbouring units; within one square the unit sees every pixel."""
    size, jump, start = field
    wide = _patch(image, start + row * jump, start + col * jump, size * jump)
    return wide[:, ::jump, ::jump]


def crop_pixel_by_pixel(image, row, col, field):
    size, jump, start = field
    patch = torch.zeros(len(image), size, size)
    for i in range(size):
        for j in range(size):
            y, x = start + row * jump + i, start + col * jump + j
            if 0 <= y < image.shape[1] and 0 <= x < image.shape[2]:
                patch[:, i, j] = image[:, y, x]
    return patch


def crop_by_padding(image, row, col, field):
    size, jump, start = field
    height, width = image.shape[-2:]
    top, left = start + row * jump, start + col * jump
    return F.pad(image, (-left, left + size - width, -top, top + size - height))


# --------------------------------------------------------------------------------------- explore_dataset


def _rankings(model, layer, batches, k):
    with torch.no_grad():
        return [top_activations(feature_maps(model, layer, x), min(k, len(x))) for x in batches]


def _merge(rankings, k):
    values, *rest = (torch.cat(parts, dim=1) for parts in zip(*rankings, strict=True))
    values, order = values.topk(k, dim=1)
    return (values, *(each.gather(1, order) for each in rest))


def counts_within_the_batch(model, layer, batches, k):
    """The image numbers begin again at 0 in every batch, so they point to the wrong images. How many images came before this batch?"""
    return _merge(_rankings(model, layer, batches, k), k)


def keeps_the_last_batch(model, layer, batches, k):
    """Only the last batch is left: each batch replaces the ranking before it instead of joining it."""
    ranking, seen = None, 0
    for x in batches:
        with torch.no_grad():
            values, image, row, col = top_activations(feature_maps(model, layer, x), min(k, len(x)))
        ranking, seen = (values, image + seen, row, col), seen + len(x)
    return ranking


def sorts_only_the_values(model, layer, batches, k):
    """The values are the best ones, but the images do not belong to them: you sorted the values and left image, row and col as they stood. All four need the same order."""
    joined, seen = [], 0
    batches = list(batches)
    for x, (values, image, row, col) in zip(batches, _rankings(model, layer, batches, k), strict=True):
        joined.append((values, image + seen, row, col))
        seen += len(x)
    values, *rest = (torch.cat(parts, dim=1) for parts in zip(*joined, strict=True))
    return (values.topk(k, dim=1).values, *(each[:, :k] for each in rest))


def numbers_the_batches_alike(model, layer, batches, k):
    """You number the images as if every batch were as long as this one. Batches may differ, the last one usually does: count the images that came before."""
    joined = []
    batches = list(batches)
    for number, (x, ranking) in enumerate(zip(batches, _rankings(model, layer, batches, k), strict=True)):
        values, image, row, col = ranking
        joined.append((values, image + number * len(x), row, col))
    return _merge(joined, k)


def keeps_every_graph(model, layer, batches, k):
    """The ranking is right, but it still carries its history: through it the maps of every batch so far stay in memory, which is what going batch by batch was to avoid. Nobody needs a gradient here."""
    joined, seen = [], 0
    for x in batches:
        values, image, row, col = top_activations(feature_maps(model, layer, x), min(k, len(x)))
        joined.append((values, image + seen, row, col))
        seen += len(x)
    return _merge(joined, k)


def waits_with_the_ranking(model, layer, batches, k):
    """The ranking is right, but the maps of all batches wait in memory until the last one has come. That is what going batch by batch was to avoid: after each batch keep only the best k so far."""
    with torch.no_grad():
        return top_activations(torch.cat([feature_maps(model, layer, x) for x in batches]), k)


def forwards_everything_at_once(model, layer, batches, k):
    """The ranking is right, but you join the batches and forward all images at once: a whole data set of maps does not fit into memory. One batch at a time, and after each only the best k so far."""
    with torch.no_grad():
        return top_activations(feature_maps(model, layer, torch.cat(list(batches))), k)


def joins_without_choosing(model, layer, batches, k):
    """You hand back the best of every batch, one after the other: more than k. After each batch only the k largest of all so far should stay."""
    joined, seen = [], 0
    batches = list(batches)
    for x, (values, image, row, col) in zip(batches, _rankings(model, layer, batches, k), strict=True):
        joined.append((values, image + seen, row, col))
        seen += len(x)
    return tuple(torch.cat(parts, dim=1) for parts in zip(*joined, strict=True))


def counts_the_batch_itself(model, layer, batches, k):
    """Your image numbers are too large by the length of their own batch: what has to be added is the number of images before it."""
    joined, seen = [], 0
    for x in batches:
        seen += len(x)
        with torch.no_grad():
            values, image, row, col = top_activations(feature_maps(model, layer, x), min(k, len(x)))
        joined.append((values, image + seen, row, col))
    return _merge(joined, k)


def wants_k_of_every_batch(model, layer, batches, k):
    """Right where every batch has at least k images; where one has fewer, it stops with an error. A small batch can only give what it has."""
    joined, seen = [], 0
    for x in batches:
        with torch.no_grad():
            values, image, row, col = top_activations(feature_maps(model, layer, x), k)
        joined.append((values, image + seen, row, col))
        seen += len(x)
    return _merge(joined, k)


def explore_by_detaching(model, layer, batches, k):
    best, seen = None, 0
    for x in batches:
        values, image, row, col = top_activations(feature_maps(model, layer, x).detach(), min(k, len(x)))
        parts = [values, image + seen, row, col]
        seen += len(x)
        best = parts if best is None else [torch.cat(pair, 1) for pair in zip(best, parts, strict=True)]
        order = best[0].argsort(dim=1, descending=True)[:, :k]
        best = [each.gather(1, order) for each in best]
    if not 0 < k <= seen:
        raise ValueError("k")
    return best


def explore_with_a_sorted_list(model, layer, batches, k):
    entries, seen = [], 0
    for x in batches:
        with torch.no_grad():
            maps = feature_maps(model, layer, x)
        maps = maps if maps.ndim > 2 else maps[..., None, None]
        best, place = maps.flatten(2).max(dim=2)
        entries += [(best[n], place[n], seen + n) for n in range(len(x))]
        seen += len(x)
        columns = maps.shape[-1]
    if k < 1 or k > len(entries):
        raise ValueError("k")
    values, order = torch.stack([best for best, _, _ in entries]).sort(dim=0, descending=True, stable=True)
    values, image = values[:k].T, order[:k].T
    places = torch.stack([place for _, place, _ in entries]).T.gather(1, image)
    return values, image, places // columns, places % columns


MISCONCEPTIONS = {
    "normalize_filters": [
        normalizes_all_together,
        normalizes_each_channel,
        divides_by_the_largest,
        forgets_the_constant_filter,
        sends_the_constant_filter_to_zero,
        puts_zero_in_the_middle,
        divides_by_the_maximum_alone,
    ],
    "feature_maps": [
        sees_after_the_inplace_relu,
        keeps_what_went_in,
        detaches_the_maps,
        leaves_its_hook,
        looks_while_training,
        forgets_the_mode,
        keeps_the_first_run,
        wakes_the_model_up,
        gives_all_parts_one_mode,
        leaves_its_hook_after_an_error,
    ],
    "receptive_field": [
        updates_the_jump_first,
        forgets_the_jump,
        forgets_the_padding,
        counts_padding_in_units,
        adds_whole_kernels,
        gives_the_centre,
        pads_to_the_right,
        reads_the_layers_backwards,
    ],
    "top_activations": [
        lets_one_image_win_twice,
        divides_by_the_rows,
        ranks_by_the_mean,
        begins_with_the_weakest,
        finds_the_weakest,
        swaps_row_and_column,
        puts_ranks_before_channels,
        ranks_by_size_alone,
    ],
    "crop_patch": [
        ignores_the_jump,
        ignores_the_start,
        centres_the_field,
        swaps_row_and_col,
        pushes_the_patch_inside,
        pastes_into_the_corner,
        cuts_at_the_edge,
        counts_from_the_end,
        fills_with_the_edge,
        steps_through_the_field,
    ],
    "explore_dataset": [
        counts_within_the_batch,
        keeps_the_last_batch,
        sorts_only_the_values,
        numbers_the_batches_alike,
        keeps_every_graph,
        waits_with_the_ranking,
        forwards_everything_at_once,
        joins_without_choosing,
        counts_the_batch_itself,
        wants_k_of_every_batch,
    ],
}

ALTERNATIVES = {
    "normalize_filters": [normalize_one_by_one],
    "feature_maps": [maps_by_context],
    "receptive_field": [field_by_products, field_from_the_top],
    "top_activations": [top_by_sorting],
    "crop_patch": [crop_by_padding, crop_pixel_by_pixel],
    "explore_dataset": [explore_by_detaching, explore_with_a_sorted_list],
}
