from itertools import product

import pytest

from mailer.core.colour import DARK, LIGHT, READABLE, contrast, with_accent


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("use", ["text", "muted", "accent", "error", "ok", "warn"])
def test_every_text_colour_can_be_read_on_canvas_and_tint(palette, use):
    colour = getattr(palette, use)
    assert min(contrast(colour, palette.canvas), contrast(colour, palette.tint)) >= READABLE


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_the_edges_of_fields_can_be_seen(palette):
    assert contrast(palette.controls, palette.tint) >= 3  # WCAG 2.2, 1.4.11


@pytest.mark.parametrize(
    ("accent", "light", "dark"),
    [
        ("#0B5F6B", "#0B5F6B", "#129DB0"),
        ("#FFE600", "#7A6E00", "#FFE600"),
        ("#808080", LIGHT.text, DARK.text),
        ("#ffffff", LIGHT.text, DARK.text),
    ],
)
def test_an_accent_keeps_its_hue_and_becomes_readable(accent, light, dark):
    assert with_accent(LIGHT, accent).accent == light
    assert with_accent(DARK, accent).accent == dark


def test_5832_accents_can_all_be_read_in_light_and_dark():
    channels = range(0, 256, 15)
    assert len(channels) ** 3 == 5832
    for red, green, blue in product(channels, repeat=3):
        for ground in (LIGHT, DARK):
            palette = with_accent(ground, f"#{red:02X}{green:02X}{blue:02X}")
            assert contrast(palette.accent, palette.canvas) >= READABLE
            assert contrast(palette.accent, palette.tint) >= READABLE


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.478, abs=0.001)
