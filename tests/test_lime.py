"""LIME held against scikit-learn's weighted ridge, the lime package, and functions whose answer is known."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lime.lime_base import LimeBase
from lime.lime_image import LimeImageExplainer
from lime.lime_tabular import LimeTabularExplainer
from sklearn.linear_model import Ridge
from torch import nn

from course.data.digits import load_digits
from course.data.loans import NAMES as loan_names
from course.data.loans import ORIGIN, draw_loans
from course.data.pairs import draw_pairs, side_by_side
from course.data.superpixels import superpixels
from course.data.wines import load_wines
from course.judging.traces import watch
from course.models.pairs import load_pairs_cnn
from solutions.lime import (
    BATCH,
    apply_masks,
    explanation_stability,
    fit_surrogate,
    lime_image,
    lime_tabular,
    local_fidelity,
    locality_weights,
    sample_masks,
    segment_means,
    select_features,
)

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")),
]
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-9}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def checkerboard(height: int = 8, width: int = 12, cell: int = 4) -> torch.Tensor:
    rows, columns = torch.arange(height) // cell, torch.arange(width) // cell
    return rows[:, None] * (width // cell) + columns


def problem(seed: int, samples: int = 60, features: int = 7, dtype: torch.dtype = torch.float64):
    rng = np.random.default_rng(seed)
    masks = torch.from_numpy(rng.integers(0, 2, (samples, features))).to(dtype)
    y = torch.from_numpy(rng.normal(size=samples)).to(dtype)
    weights = torch.from_numpy(rng.uniform(0.05, 1, samples)).to(dtype)
    return masks, y, weights


class TestSamplingAndMasking:
    def test_the_first_mask_is_the_image_itself(self):
        assert (sample_masks(checkerboard(), 5, generator())[0] == 1).all()

    def test_every_other_segment_is_a_fair_coin_of_its_own(self):
        masks = sample_masks(checkerboard(), 4001, generator(3))[1:]
        assert set(masks.unique().tolist()) == {0.0, 1.0}
        error = 0.5 / math.sqrt(4000)
        assert (masks.mean(0) - 0.5).abs().max() < 6 * error
        covariance = torch.cov(masks.T) - 0.25 * torch.eye(6)
        assert covariance.abs().max() < 6 * 0.25 / math.sqrt(4000)

    def test_the_generator_alone_decides(self):
        torch.manual_seed(1)
        one = sample_masks(checkerboard(), 9, generator(7))
        torch.manual_seed(2)
        two = sample_masks(checkerboard(), 9, generator(7))
        assert torch.equal(one, two)
        assert not torch.equal(one, sample_masks(checkerboard(), 9, generator(8)))

    def test_segments_with_holes_in_the_numbering_are_refused_with_the_remedy(self):
        with pytest.raises(ValueError, match=r"torch\.unique"):
            sample_masks(checkerboard() + 1, 5, generator())

    def test_no_samples_at_all_are_refused(self):
        with pytest.raises(ValueError, match="at least 1"):
            sample_masks(checkerboard(), 0, generator())

    @pytest.mark.parametrize("device", DEVICES)
    @pytest.mark.parametrize("dtype", TOLERANCE)
    def test_masking_agrees_with_painting_segment_by_segment(self, device, dtype):
        segments = checkerboard().to(device)
        image = torch.rand(3, 8, 12, generator=generator()).to(device, dtype)
        masks = sample_masks(segments, 6, generator())
        fill = segment_means(image, segments)
        shown = apply_masks(image, segments, masks, fill)
        assert shown.dtype == dtype
        for row, picture in zip(masks, shown, strict=True):
            expected = image.clone()
            for number, stays in enumerate(row):
                if stays == 0:
                    expected[:, segments == number] = fill[:, segments == number]
            assert torch.equal(picture, expected)

    def test_segment_means_agree_with_the_mean_of_each_segment(self):
        segments, image = checkerboard(), torch.rand(2, 8, 12, generator=generator()).double()
        means = segment_means(image, segments)
        for number in segments.unique():
            inside = segments == number
            for channel in range(2):
                torch.testing.assert_close(
                    means[channel][inside], image[channel][inside].mean().expand(int(inside.sum()))
                )

    def test_masking_does_not_touch_the_image(self):
        image = torch.rand(1, 8, 12, generator=generator())
        before = image.clone()
        apply_masks(image, checkerboard(), sample_masks(checkerboard(), 4, generator()), 0.5)
        assert torch.equal(image, before)


class TestLocality:
    @given(st.integers(0, 10**6), st.integers(1, 12), st.floats(0.05, 3))
    @settings(max_examples=30, deadline=None)
    def test_weights_are_the_published_definition(self, seed, features, width):
        masks = torch.from_numpy(np.random.default_rng(seed).integers(0, 2, (9, features))).double()
        for row, weight in zip(masks, locality_weights(masks, width), strict=True):
            shown = row.sum().item()
            distance = 1 - math.sqrt(shown / features)  # cosine between a 0/1 row and the row of ones
            assert weight.item() == pytest.approx(math.exp(-(distance**2) / width**2), rel=1e-9)

    def test_weights_agree_with_the_lime_package_at_its_narrower_width(self):
        masks, _, _ = problem(0)
        explainer = LimeImageExplainer(kernel_width=0.4 / math.sqrt(2))
        cosine = masks.sum(1) / (masks.norm(dim=1) * math.sqrt(masks.shape[1]))
        theirs = explainer.base.kernel_fn((1 - cosine).numpy())
        np.testing.assert_allclose(locality_weights(masks, 0.4).numpy(), theirs, rtol=1e-9)

    def test_hiding_more_never_weighs_more(self):
        masks = torch.tril(torch.ones(8, 8))
        assert (locality_weights(masks, 0.25).diff() > 0).all()

    def test_a_width_that_is_not_positive_is_refused(self):
        with pytest.raises(ValueError, match="positive"):
            locality_weights(torch.ones(2, 3), 0.0)


class TestSurrogate:
    @pytest.mark.parametrize("device", DEVICES)
    @pytest.mark.parametrize("dtype", TOLERANCE)
    @pytest.mark.parametrize("penalty", [0.0, 1.0, 30.0])
    def test_the_line_agrees_with_weighted_ridge_of_scikit_learn(self, dtype, penalty, device):
        masks, y, weights = (part.to(device) for part in problem(1, dtype=dtype))
        c, b = fit_surrogate(masks, y, weights, penalty)
        ridge = Ridge(alpha=penalty).fit(masks.double().cpu(), y.double().cpu(), weights.double().cpu())
        np.testing.assert_allclose(c.cpu(), ridge.coef_, atol=10 * TOLERANCE[dtype])
        assert b.item() == pytest.approx(ridge.intercept_, abs=10 * TOLERANCE[dtype])
        assert c.dtype == dtype

    @given(st.integers(0, 10**6))
    @settings(max_examples=20, deadline=None)
    def test_a_linear_model_is_recovered_whatever_the_weights(self, seed):
        masks, _, weights = problem(seed)
        true = torch.from_numpy(np.random.default_rng(seed).normal(size=7))
        c, b = fit_surrogate(masks, masks @ true + 3, weights, penalty=0.0)
        torch.testing.assert_close(c, true)
        assert b.item() == pytest.approx(3)

    def test_several_classes_and_several_images_are_separate_fits(self):
        parts = [problem(seed) for seed in range(3)]
        masks, y, weights = (torch.stack(part) for part in zip(*parts, strict=True))
        c, b = fit_surrogate(masks, y, weights)
        for row, (z, values, pi) in enumerate(parts):
            alone = fit_surrogate(z, values, pi)
            torch.testing.assert_close((c[row], b[row]), alone)
        shared, _ = fit_surrogate(parts[0][0], y, parts[0][2])
        torch.testing.assert_close(shared[1], fit_surrogate(parts[0][0], y[1], parts[0][2])[0])

    def test_a_negative_penalty_and_weightless_samples_are_refused(self):
        masks, y, weights = problem(0)
        with pytest.raises(ValueError, match="penalty"):
            fit_surrogate(masks, y, weights, -1.0)
        with pytest.raises(ValueError, match="larger width"):
            fit_surrogate(masks, y, weights * 0)

    def test_a_feature_that_never_changes_is_refused_without_a_penalty(self):
        masks, y, weights = problem(0)
        masks[:, 1] = 1
        with pytest.raises(ValueError, match="take a penalty"):
            fit_surrogate(masks, y, weights, 0.0)
        assert abs(fit_surrogate(masks, y, weights, 0.1)[0][1]) < 1e-12

    def test_fidelity_agrees_with_the_weighted_score_of_scikit_learn(self):
        masks, y, weights = problem(2)
        c, b = fit_surrogate(masks, y, weights)
        ridge = Ridge(alpha=1.0).fit(masks, y, weights)
        assert local_fidelity(masks, y, weights, c, b).item() == pytest.approx(ridge.score(masks, y, weights))

    def test_fidelity_is_one_for_a_perfect_line_and_zero_for_the_mean(self):
        masks, y, weights = problem(3)
        line = masks @ torch.arange(7.0).double()
        mean = (weights * y).sum() / weights.sum()
        one = local_fidelity(masks, line, weights, torch.arange(7.0).double(), torch.tensor(0.0).double())
        zero = local_fidelity(masks, y, weights, torch.zeros(7).double(), mean)
        assert one.item() == pytest.approx(1)
        assert zero.item() == pytest.approx(0, abs=1e-12)


class TestSelection:
    @given(st.integers(0, 10**6), st.integers(1, 6))
    @settings(max_examples=15, deadline=None)
    def test_the_choice_agrees_with_forward_selection_of_the_lime_package(self, seed, k):
        masks, y, weights = problem(seed)
        theirs = LimeBase(lambda d: d).forward_selection(masks.numpy(), y.numpy(), weights.numpy(), k)
        assert select_features(masks, y, weights, k).tolist() == theirs.tolist()

    def test_the_choice_agrees_among_features_that_overlap(self):
        for seed in range(12):
            rng = np.random.default_rng(seed)
            z = rng.normal(size=(40, 6)) @ rng.normal(size=(6, 6))
            y, weights = z @ rng.normal(size=6) + rng.normal(size=40), rng.uniform(0.1, 1, 40)
            theirs = LimeBase(lambda d: d).forward_selection(z, y, weights, 5)
            ours = select_features(*(torch.from_numpy(part) for part in (z, y, weights)), 5)
            assert ours.tolist() == theirs.tolist()

    def test_no_feature_is_chosen_twice_when_nothing_is_left_to_explain(self):
        masks, _, weights = problem(7)
        chosen = select_features(masks, torch.ones(60).double(), weights, 7)
        assert sorted(chosen.tolist()) == list(range(7))

    def test_the_features_that_matter_are_found_in_the_order_in_which_they_matter(self):
        masks, _, weights = problem(5, samples=400)
        y = 3 * masks[:, 4] - 2 * masks[:, 0] + masks[:, 6]
        assert select_features(masks, y, weights, 3).tolist() == [4, 0, 6]

    def test_a_copy_of_a_chosen_feature_is_not_chosen(self):
        masks, _, weights = problem(6, samples=200, features=4)
        masks = torch.cat([masks, masks[:, :1]], dim=1)
        y = 3 * masks[:, 0] + 0.5 * masks[:, 2]
        first, second = select_features(masks, y, weights, 2).tolist()
        assert first in (0, 4)
        assert second == 2

    @pytest.mark.parametrize("k", [0, 8])
    def test_an_impossible_number_of_features_is_refused(self, k):
        with pytest.raises(ValueError, match="between 1 and"):
            select_features(*problem(0), k)


class LinearInSegments(nn.Module):
    """Scores that are sums of pixels: LIME must find each segment's own sum."""

    def __init__(self, weight: torch.Tensor):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x):
        return torch.einsum("nchw,kchw->nk", x, self.weight)


class TestImages:
    @pytest.mark.parametrize("device", DEVICES)
    @pytest.mark.parametrize("dtype", TOLERANCE)
    def test_a_model_that_adds_up_pixels_is_explained_exactly(self, dtype, device):
        segments = checkerboard().to(device)
        image = torch.rand(1, 8, 12, generator=generator()).to(device, dtype)
        weight = torch.randn(3, 1, 8, 12, generator=generator(1)).to(device, dtype)
        c, b = lime_image(
            LinearInSegments(weight), image, segments, torch.tensor([2, 0]), 200, generator(), penalty=0.0
        )
        share = (weight[[2, 0]] * image).flatten(1)
        expected = share.new_zeros(2, 6).index_add(1, segments.flatten(), share)
        torch.testing.assert_close(c, expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(b, torch.zeros_like(b), atol=1e-4, rtol=0)

    def test_the_explanation_agrees_with_the_lime_package_on_its_own_samples(self, monkeypatch):
        segments = checkerboard()
        image = torch.rand(3, 8, 12, generator=generator()).double()
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Flatten(), nn.Linear(288, 9), nn.Tanh(), nn.Linear(9, 4), nn.Softmax(1)
        ).double()

        def predict_numpy(batch):
            with torch.no_grad():
                return model(torch.from_numpy(batch).movedim(-1, 1)).numpy()

        explainer = LimeImageExplainer(
            kernel_width=0.25 / math.sqrt(2), random_state=0, feature_selection="none"
        )
        theirs = explainer.explain_instance(
            image.movedim(0, -1).numpy(),
            predict_numpy,
            labels=(2,),
            top_labels=None,
            hide_color=0,
            num_samples=300,
            segmentation_fn=lambda _: segments.numpy(),
            random_seed=1,
        )
        data = np.random.RandomState(0).randint(0, 2, 300 * 6).reshape(300, 6)
        data[0] = 1
        monkeypatch.setattr("solutions.lime.sample_masks", lambda *_: torch.from_numpy(data).double())
        c, b = lime_image(model, image, segments, 2, 300, generator(), width=0.25)
        expected = np.array([value for _, value in sorted(theirs.local_exp[2])])
        np.testing.assert_allclose(c.numpy(), expected, atol=1e-9)
        assert b.item() == pytest.approx(theirs.intercept[2])

    def test_without_a_target_the_predicted_class_is_explained(self):
        segments, image = checkerboard(), torch.rand(1, 8, 12, generator=generator())
        model = LinearInSegments(torch.randn(3, 1, 8, 12, generator=generator(1)))
        predicted = int(model(image[None]).argmax())
        free, _ = lime_image(model, image, segments, None, 40, generator())
        named, _ = lime_image(model, image, segments, predicted, 40, generator())
        assert torch.equal(free, named)

    def test_the_model_is_asked_in_small_batches_and_left_untouched(self):
        model = nn.Sequential(nn.Flatten(), nn.Linear(96, 5), nn.BatchNorm1d(5)).train().eval()
        sizes = []

        def predict(batch):
            sizes.append(len(batch))
            return model(batch)

        image = torch.rand(1, 8, 12, generator=generator()).requires_grad_()
        left = watch({"model": model, "image": image})
        c, _ = lime_image(predict, image, checkerboard(), 1, 150, generator())
        assert left() == []
        assert sum(sizes) == 150
        assert max(sizes) <= BATCH
        assert not c.requires_grad

    def test_a_predict_without_a_column_per_class_is_refused(self):
        with pytest.raises(ValueError, match="one column per class"):
            lime_image(lambda x: x.sum((1, 2, 3)), torch.rand(1, 8, 12), checkerboard(), 0, 5, generator())


class TestTables:
    @pytest.mark.parametrize("device", DEVICES)
    def test_a_linear_model_is_explained_by_its_slopes_per_standard_deviation(self, device):
        w = torch.randn(5, 3, generator=generator(1)).double().to(device)
        x = torch.randn(5, generator=generator(2)).double().to(device)
        scale = torch.tensor([1.0, 10.0, 0.1, 2.0, 3.0]).double().to(device)
        c, b = lime_tabular(lambda rows: rows @ w, x, scale, 1, 100, generator(), penalty=0.0)
        torch.testing.assert_close(c, scale * w[:, 1])
        torch.testing.assert_close(b, x @ w[:, 1])

    def test_the_explanation_agrees_with_the_lime_package_on_its_own_samples(self, monkeypatch):
        rng = np.random.default_rng(0)
        table = rng.normal(size=(200, 6)) * [1, 5, 0.2, 1, 2, 3]
        row = table[7]
        w = rng.normal(size=(6, 3))

        def predict_numpy(rows):
            scores = np.exp(np.tanh(rows @ w))
            return scores / scores.sum(1, keepdims=True)

        explainer = LimeTabularExplainer(
            table,
            discretize_continuous=False,
            sample_around_instance=True,
            feature_selection="none",
            kernel_width=2.0 / math.sqrt(2),
            random_state=4,
        )
        theirs = explainer.explain_instance(row, predict_numpy, labels=(2,), num_features=6, num_samples=500)
        noise = np.random.RandomState(4).normal(0, 1, 500 * 6).reshape(500, 6)
        monkeypatch.setattr(torch, "randn", lambda *_, **__: torch.from_numpy(noise).double())
        c, b = lime_tabular(
            lambda rows: torch.from_numpy(predict_numpy(rows.numpy())),
            torch.from_numpy(row),
            torch.from_numpy(table.std(0)),
            2,
            500,
            generator(),
            width=2.0,
        )
        expected = np.array([value for _, value in sorted(theirs.local_exp[2])])
        np.testing.assert_allclose(c.numpy(), expected, atol=1e-9)
        assert b.item() == pytest.approx(theirs.local_pred.item())

    def test_a_narrow_surrogate_finds_the_gradient(self):
        x = torch.tensor([0.3, -0.8, 1.2]).double()

        def predict(rows):
            return torch.stack([rows.prod(-1), rows.sin().sum(-1)], dim=1)

        c, _ = lime_tabular(predict, x, torch.full((3,), 1e-3).double(), 0, 2000, generator(), penalty=0.0)
        expected = 1e-3 * x.prod() / x
        torch.testing.assert_close(c, expected, rtol=1e-3, atol=0)

    def test_a_feature_that_never_varies_is_refused(self):
        with pytest.raises(ValueError, match="never vary"):
            lime_tabular(lambda x: x, torch.zeros(2), torch.tensor([1.0, 0.0]), 0, 5, generator())


class TestStability:
    def test_equal_explanations_are_fully_stable_and_disjoint_ones_not_at_all(self):
        same = torch.tensor([[5.0, -4, 1, 0], [-5, 4, 0, 1], [9, 8, 7, 6]])
        apart = torch.tensor([[5.0, 4, 1, 0], [0, 1, -4, 5]])
        assert explanation_stability(same, 2).item() == 1
        assert explanation_stability(apart, 2).item() == 0

    def test_overlap_is_counted_over_all_pairs(self):
        three = torch.tensor([[3.0, 2, 0, 0], [3, 0, 2, 0], [0, 0, 2, 3]])  # {0,1} {0,2} {2,3}
        assert explanation_stability(three, 2).item() == pytest.approx((1 / 3 + 0 + 1 / 3) / 3)

    def test_a_single_explanation_is_refused(self):
        with pytest.raises(ValueError, match="two seeds"):
            explanation_stability(torch.ones(1, 4), 2)


class TestChapterPieces:
    """What the chapter builds on: segments, pairs of digits, tables."""

    @pytest.mark.parametrize("count", [10, 40])
    def test_superpixels_are_numbered_without_holes_and_fit_lime(self, count):
        image = load_digits().test_images[8]
        segments = superpixels(image, count)
        assert segments.shape == (28, 28)
        assert sample_masks(segments, 2, generator()).shape[1] == int(segments.max()) + 1 >= count / 2
        assert superpixels(image.expand(3, -1, -1), count).shape == (28, 28)

    def test_each_class_of_a_pair_is_explained_by_its_own_half(self):
        digits, network = load_digits(), load_pairs_cnn()
        for left, right in [(33, 96), (88, 124), (12, 47)]:
            pair = side_by_side(digits.test_images[left], digits.test_images[right])
            halves = (torch.arange(56) >= 28).long().expand(28, 56)
            segments = torch.unique(2 * superpixels(pair, 40) + halves, return_inverse=True)[1]
            classes = digits.test_labels[[left, right]]
            c, _ = lime_image(network, pair, segments, classes, 400, generator())
            on_the_right = (
                torch.zeros(c.shape[1]).scatter_(0, segments.flatten(), halves.flatten().float()) > 0
            )
            first, second = c.clamp_min(0)
            assert first[~on_the_right].sum() > 2 * first[on_the_right].sum()
            assert second[on_the_right].sum() > 2 * second[~on_the_right].sum()

    def test_pairs_name_just_the_digits_that_are_in_them(self):
        digits = load_digits()
        images, present = draw_pairs(digits.test_images, digits.test_labels, 20, generator())
        assert images.shape == (20, 1, 28, 56)
        for image, names in zip(images, present, strict=True):
            halves = [image[:, :, :28], image[:, :, 28:]]
            found = {
                int(digits.test_labels[k])
                for half in halves
                for k in range(len(digits.test_images))
                if torch.equal(half, digits.test_images[k])
            }
            assert set(names.nonzero().flatten().tolist()) == found

    def test_tables_have_a_name_for_every_column(self):
        wines, loans = load_wines(), draw_loans(50, generator())
        assert wines.x.shape == (178, len(wines.names))
        assert loans.shape == (50, len(loan_names))
        assert set(loans[:, ORIGIN].tolist()) == {0.0, 1.0}
        assert (loans.std(0) > 0).all()
        assert torch.corrcoef(loans.T)[2, 3] > 0.8  # income and rent hang together
