"""The form on other people's pages by each way of docs/embedding.md, in a browser, from another origin."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from mailer.templating.embed import embed_script
from tests.appearance.embeds import DOCS, EMBEDS, POLICIES, Town, snippet, town
from tests.appearance.looks import LOOKS, keep_screenshot_of
from tests.appearance.node import node
from tests.appearance.test_axe import axe
from tests.appearance.test_pages import AS_A_PAGE

TOO_QUICK = 2.2
"""Seconds in which nobody fills in a form."""
SEEN = ("light", "dark", "375 px", "375 px dark", "320 px", "200 %")
OWN_STYLE = "; style-src 'unsafe-inline'"
"""What the sample page needs for its own style."""
DAYS = ("Monday", "Wednesday", "Friday")
WAYS = {"script": "script", "frame": "frame", "plain form": "html"}


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("embeds")) as running:
        yield running


@contextmanager
def visiting(window, url: str, look: str = "light", **more) -> Iterator[Page]:
    """A browser on a page of somebody else's; nothing is asked of anybody but the two."""
    with window.fresh(LOOKS[look], **more) as page:
        page.set_default_timeout(10_000)
        asked: list[str] = []
        page.context.on("request", lambda request: asked.append(request.url))
        page.goto(url)
        yield page
        assert {urlsplit(one).hostname for one in asked} <= {"127.0.0.1", "localhost"}


def form_of(page: Page, name: str):
    """Where the form is: the page itself, into whose shadow roots playwright looks, or the frame in it."""
    found = page.frame_locator("iframe") if name == "frame" else page
    found.get_by_label("Email address").wait_for()
    return found


def mail_to(town: Town, email: str):
    """The mail that comes to this address within ten seconds."""
    until = time.monotonic() + 10
    while not town.relay.copies[email]:
        assert time.monotonic() < until, f"no mail to {email}"
        time.sleep(0.05)
    return town.relay.mail_to(email)


def confirm(window, town: Town, email: str) -> None:
    """What the owner of the address does: open the link, press the button."""
    text = mail_to(town, email).get_body(("plain",)).get_content()
    (link,) = set(re.findall(rf"{town.pages}/confirm/\S+", text))
    assert town.state(email) == "pending"
    with visiting(window, link) as page:
        page.get_by_role("button", name="Confirm subscription").press("Enter")
        page.get_by_role("heading", name="You are subscribed").wait_for()


def broken(page: Page) -> list[str]:
    page.evaluate(axe())
    found = page.evaluate(f"axe.run(document, {json.dumps(AS_A_PAGE)})")
    return [f"{rule['id']}: {node['html'][:160]}" for rule in found["violations"] for node in rule["nodes"]]


def fits(page: Page) -> None:
    for frame in page.frames:
        wide, window = frame.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
        assert wide <= window, f"{frame.url} scrolls sideways: {wide} in {window}"


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("name", EMBEDS)
def test_a_visitor_subscribes_in_an_article_and_confirms(window, here, name, javascript):
    email = f"{name.replace(' ', '-')}-{javascript}@example.com".lower()
    url = here.friend.publish(f"/{email}", here.embed(name))
    with visiting(window, url, java_script_enabled=javascript) as page:
        if name == "script" and not javascript:
            page.get_by_role("link", name="Subscribe by email").click()
        form = form_of(page, name)
        form.get_by_label("Email address").fill(email)
        if name == "plain form":
            form.get_by_label("How often?").select_option("monthly")
        else:
            form.locator("label", has_text="Monthly").click()
            time.sleep(TOO_QUICK)
        form.get_by_role("button", name="Subscribe").click()
        form.get_by_role("heading", name="One step left: check your inbox").wait_for()
    confirm(window, here, email)
    assert here.state(email) == "active"
    assert "monthly" in mail_to(here, email).get_body(("plain",)).get_content()
    way, source = here.source(email)
    if name == "script" and not javascript:
        assert way == "page"
    else:
        assert way == WAYS[name]
        assert source.startswith(here.friend.url)


def test_the_keyboard_alone_does(window, here):
    with visiting(window, here.friend.publish("/keyboard", here.embed("script"))) as page:
        form_of(page, "script")
        time.sleep(TOO_QUICK)
        page.keyboard.press("Tab")
        page.keyboard.type("keyboard@example.com")
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        expect(page.get_by_role("status")).to_be_focused()
    confirm(window, here, "keyboard@example.com")
    assert "daily" in mail_to(here, "keyboard@example.com").get_body(("plain",)).get_content()


def test_what_is_wrong_is_said_at_the_field_which_has_the_focus_and_keeps_what_was_typed(window, here):
    with visiting(window, here.friend.publish("/wrong", here.embed("script"))) as page:
        form_of(page, "script")
        time.sleep(TOO_QUICK)
        email, button = page.get_by_label("Email address"), page.get_by_role("button", name="Subscribe")
        button.click()
        expect(email).to_be_focused()
        expect(email).to_have_attribute("aria-invalid", "true")
        expect(email).to_have_accessible_description("Enter your email address")
        page.keyboard.type("ann")
        page.keyboard.press("Enter")
        expect(email).to_have_accessible_description(
            "Enter an email address in the correct format, like name@example.com"
        )
        expect(email).to_have_value("ann")
        assert broken(page) == []
        keep_screenshot_of(page, "embed wrong")
        page.keyboard.type("@example.com")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_be_focused()
        page.get_by_role("button", name="Try again").click()
        expect(email).to_be_focused()
        expect(email).not_to_have_attribute("aria-invalid", "true")
        expect(email).to_have_value("ann@example.com")


def test_a_press_within_two_seconds_asks_for_another(window, here):
    with visiting(window, here.friend.publish("/quick", here.embed("script"))) as page:
        form_of(page, "script").get_by_label("Email address").fill("quick@example.com")
        button = page.get_by_role("button", name="Subscribe")
        button.click()
        expect(button).to_be_focused()
        expect(button).to_have_accessible_description(
            "Not sent yet: that was very quick, or the form came from elsewhere. Press Subscribe once more."
        )
        time.sleep(TOO_QUICK)
        button.press("Enter")
        page.get_by_role("status").wait_for()


def test_while_it_is_on_its_way_it_says_so_and_a_second_press_does_nothing(window, here):
    with visiting(window, here.friend.publish("/twice", here.embed("script"))) as page:
        sent = []

        def slowly(route):
            sent.append(route.request.post_data_json)
            time.sleep(0.5)
            route.continue_()

        form_of(page, "script").get_by_label("Email address").fill("twice@example.com")
        time.sleep(TOO_QUICK)
        page.route("**/api/subscribe", slowly)
        button = page.get_by_role("button", name="Subscribe")
        page.evaluate(
            """() => {
              const root = document.querySelector("mailer-signup").shadowRoot, [form] = root.querySelectorAll("form");
              form.requestSubmit();
              window.said = [form.ariaBusy, root.querySelector("button").textContent];
              form.requestSubmit();
            }"""
        )
        page.get_by_role("status").wait_for()
        assert page.evaluate("window.said") == ["true", "Subscribing..."]
        assert len(sent) == 1
        assert sent[0]["source"] == here.friend.url + "/twice"
        assert not button.count()


@pytest.mark.parametrize("how", ["no answer", "an answer that is no JSON", "an error"])
def test_where_it_can_not_be_saved_it_says_so_and_can_be_tried_again(window, here, how):
    with visiting(window, here.friend.publish("/down", here.embed("script"))) as page:
        form_of(page, "script").get_by_label("Email address").fill("down@example.com")
        time.sleep(TOO_QUICK)
        answers = {
            "no answer": lambda route: route.abort(),
            "an answer that is no JSON": lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"),
            "an error": lambda route: route.fulfill(
                status=500, json={"error": "x"}, headers={"Access-Control-Allow-Origin": "*"}
            ),
        }
        page.route("**/api/subscribe", answers[how])
        button = page.get_by_role("button", name="Subscribe")
        button.click()
        expect(button).to_have_accessible_description("We could not save this. Try again in a minute.")
        expect(button).to_be_focused()
        page.unroute("**/api/subscribe")
        button.click()
        page.get_by_role("status").wait_for()


def test_a_site_that_is_not_named_keeps_the_link_and_shows_no_frame(window, here):
    with visiting(window, here.other.publish("/script", here.embed("script"))) as page:
        page.wait_for_load_state("networkidle")
        assert not page.get_by_label("Email address").count()
        page.get_by_role("link", name="Subscribe by email").click()
        assert page.url == f"{here.pages}/subscribe"
    with visiting(window, here.other.publish("/frame", here.embed("frame"))) as page:
        page.wait_for_load_state("networkidle")
        assert page.frames[1].url.startswith("chrome-error:")


def test_a_plain_form_of_a_site_that_is_not_named_takes_one_more_press(window, here):
    with visiting(window, here.other.publish("/form", here.embed("plain form"))) as page:
        page.get_by_label("Email address").fill("other@example.com")
        page.get_by_role("button", name="Subscribe").click()
        assert page.url == f"{here.pages}/subscribe"
        expect(page.get_by_label("Email address")).to_have_value("other@example.com")
        time.sleep(TOO_QUICK)
        page.get_by_role("button", name="Subscribe").click()
        page.get_by_role("heading", name="One step left").wait_for()
    confirm(window, here, "other@example.com")
    assert here.state("other@example.com") == "active"


@pytest.mark.parametrize("name", EMBEDS)
def test_the_documented_policy_is_enough(window, here, name):
    embed = here.embed(name).replace(' style="border: 0"', "")
    url = here.friend.publish(f"/policy-{name[:5]}", embed, policy=here.here(POLICIES[name]) + OWN_STYLE)
    with window.fresh(LOOKS["light"]) as page:
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(url)
        form = form_of(page, name)
        form.get_by_label("Email address").fill(f"policy-{name.replace(' ', '-')}@example.com")
        time.sleep(0 if name == "plain form" else TOO_QUICK)
        form.get_by_role("button", name="Subscribe").click()
        form.get_by_role("heading", name="One step left").wait_for()
        assert said == []


def test_the_script_makes_no_markup_and_no_inline_style_where_a_page_forbids_it(window, here):
    policy = here.here(POLICIES["script"]) + "; require-trusted-types-for 'script'; style-src 'none'"
    with visiting(window, here.friend.publish("/strict", here.embed("script"), policy=policy)) as page:
        button = form_of(page, "script").get_by_role("button", name="Subscribe")
        assert button.evaluate("(one) => getComputedStyle(one).minHeight") == "48px"


@pytest.mark.parametrize("look", ["light", "dark", "320 px"])
def test_many_choices_are_a_list_and_topics_are_folded_up(window, here, look):
    with visiting(window, here.friend.publish("/empty", "-"), look) as page:
        told = page.request.get(f"{here.pages}/api/form").json()
        weekly = told["choices"][1]
        told["choices"] += [weekly | {"name": f"{day}s", "label": f"{day}s", "checked": False} for day in DAYS]
        told["topics"] = [{"id": day, "name": f"About {day}"} for day in DAYS]
        told["privacy_url"] = "https://site.example/privacy"
        allowed = {"Access-Control-Allow-Origin": here.friend.url, "Access-Control-Allow-Headers": "Content-Type"}
        wrong = {"cadence": "Choose how often", "topics": "Choose topics from the list"}
        sent = []

        def answer(route):
            sent.append(route.request.post_data_json)
            route.fulfill(status=422, json={"error": "x", "errors": wrong, "form_time": "new"}, headers=allowed)

        page.route("**/api/form*", lambda route: route.fulfill(json=told, headers=allowed))
        page.route("**/api/subscribe", answer)
        page.goto(here.friend.publish("/many", here.embed("script")))
        choices = form_of(page, "script").get_by_label("How often would you like updates?")
        expect(choices).to_have_value("weekly")
        choices.select_option("Mondays")
        page.get_by_text("Topics", exact=True).click()
        page.get_by_label("About Monday").check()
        page.get_by_label("About Friday").check()
        assert broken(page) == []
        fits(page)
        page.get_by_role("button", name="Subscribe").click()
        expect(choices).to_be_focused()
        expect(choices).to_have_accessible_description("Choose how often")
        expect(page.get_by_role("button", name="Subscribe")).to_have_accessible_description(
            "Choose topics from the list"
        )
        assert (sent[0]["cadence"], sent[0]["topics"]) == ("Mondays", ["Monday", "Friday"])
        assert broken(page) == []
        keep_screenshot_of(page, f"embed many {look}")
        assert page.get_by_role("link", name="Privacy").get_attribute("href") == "https://site.example/privacy"


def test_words_of_others_are_text(window, here):
    with visiting(window, here.friend.publish("/empty", "")) as page:
        told = page.request.get(f"{here.pages}/api/form").json()
        evil = "<img src=x onerror=alert(1)>"
        hostile = {key: evil if isinstance(value, str) else value for key, value in told.items()}
        hostile |= {"topics": [{"id": evil, "name": evil}], "privacy_url": "https://x.example/", "accent": "#000000"}
        hostile["choices"] = [{"name": evil, "label": evil, "sentence": evil, "checked": True}] * 3
        allowed = {"Access-Control-Allow-Origin": here.friend.url}
        page.route("**/api/form*", lambda route: route.fulfill(json=hostile, headers=allowed))
        page.on("dialog", lambda dialog: pytest.fail("a script ran"))
        page.goto(here.friend.publish("/hostile", here.embed("script")))
        expect(page.get_by_role("heading", name=evil)).to_be_visible()
        assert page.evaluate("document.querySelector('mailer-signup').shadowRoot.querySelectorAll('img').length") == 0


def test_two_boxes_on_a_page_are_two_forms(window, here):
    twice = here.embed("script") + here.embed("script").replace("<mailer-signup>", '<mailer-signup data-lang="de">')
    with visiting(window, here.friend.publish("/two", twice)) as page:
        page.get_by_label("Email address").fill("left@example.com")
        page.get_by_label("E-Mail-Adresse").fill("right@example.com")
        time.sleep(TOO_QUICK)
        page.get_by_role("button", name="Subscribe").click()
        page.get_by_role("status").wait_for()
        expect(page.get_by_label("E-Mail-Adresse")).to_have_value("right@example.com")
        assert broken(page) == []


def test_the_script_alone_draws_where_it_stands_and_takes_attributes(window, here):
    tag = '<script src="https://mailer.your.site/embed.js" data-lang="es" data-cadence="monthly" async></script>'
    alone = f"<p>Before</p>{here.here(tag)}<p>After</p>"
    with visiting(window, here.friend.publish("/alone", alone)) as page:
        page.locator("mailer-signup form").wait_for()
        names = page.evaluate("[...document.querySelector('main').children].map((one) => one.localName)")
        assert names[1:5] == ["p", "p", "mailer-signup", "script"]
        assert page.evaluate("document.querySelector('mailer-signup').shadowRoot.querySelector(':checked').value") == (
            "monthly"
        )
        expect(page.get_by_role("button", name="Suscribirse")).to_be_visible()


@pytest.mark.parametrize("lang", ["en", "de", "ar"])
@pytest.mark.parametrize("look", SEEN)
@pytest.mark.parametrize("name", ["script", "frame"])
def test_it_fits_and_axe_finds_nothing(window, here, name, look, lang):
    embed = here.embed(name).replace('/embed"', f'/embed?lang={lang}"')
    with visiting(window, here.friend.publish(f"/looks-{name}-{lang}", embed, lang=lang), look) as page:
        inside = page.frame_locator("iframe") if name == "frame" else page
        inside.locator("[type=email]").wait_for()
        for frame in page.frames:
            frame.wait_for_load_state("load")
        assert broken(page) == []
        fits(page)
        rows = inside.locator(".choice" if name == "frame" else "fieldset label")
        assert rows.count() == 3
        for place in [*rows.all(), inside.locator("[type=email]"), inside.locator("button")]:
            assert place.bounding_box()["height"] >= 44
        keep_screenshot_of(page, f"embed {name} {lang} {look}")
        if name == "frame":
            # `html` is as high as the frame at least; its only child is as high as what stands in it.
            needed, there = page.frames[1].evaluate("[document.body.getBoundingClientRect().height, innerHeight]")
            assert needed <= there + (60 if look == "320 px" else 0), f"{needed} px of {there}"


@pytest.mark.parametrize("look", SEEN)
@pytest.mark.parametrize("name", ["script", "frame"])
def test_what_is_said_afterwards_fits_too(window, here, name, look):
    with visiting(window, here.friend.publish(f"/done-{name}", here.embed(name)), look) as page:
        form = form_of(page, name)
        form.get_by_label("Email address").fill(f"a-rather-long-name-of-somebody-{name}@subdomain.example.com")
        time.sleep(TOO_QUICK)
        form.get_by_role("button", name="Subscribe").click()
        form.get_by_role("heading", name="One step left").wait_for()
        assert broken(page) == []
        fits(page)
        keep_screenshot_of(page, f"embed {name} done {look}")


def test_a_page_dresses_the_form_by_the_documented_properties(window, here):
    named = set(re.findall(r"^\| `(--[a-z-]+)` \|", DOCS, re.MULTILINE))
    assert named == set(re.findall(r"var\((--mailer-[a-z-]+)", embed_script().decode()))
    dressed = f"<style>{snippet('A script', 'css')}</style>{here.embed('script')}"
    with visiting(window, here.friend.publish("/dressed", dressed)) as page:
        button = form_of(page, "script").get_by_role("button", name="Subscribe")
        assert button.evaluate("(one) => getComputedStyle(one).backgroundColor") == "rgb(11, 95, 107)"
        assert button.evaluate("(one) => getComputedStyle(one).fontFamily") == "Georgia, serif"
        assert broken(page) == []


def test_it_weighs_little(window, here):
    weights = {}
    for name in ("script", "frame"):
        with window.fresh(LOOKS["light"]) as page:
            bodies = []
            page.on("response", lambda response, bodies=bodies: bodies.append((response.url, len(response.body()))))
            page.goto(here.friend.publish(f"/weight-{name}", here.embed(name)))
            form_of(page, name)
            page.wait_for_load_state("networkidle")
            weights[name] = dict(bodies)
            ours = {url: size for url, size in bodies if url.startswith(here.pages)}
            assert sum(ours.values()) < 30_000, ours
            assert ours.get(f"{here.pages}/embed.js", 0) < 5_000
        with window.fresh(LOOKS["light"]) as page:
            assert len(page.goto(f"{here.pages}/subscribe").body()) < 30_000


def test_the_script_is_one_that_node_can_read(tmp_path):
    file = tmp_path / "embed.js"
    file.write_bytes(embed_script())
    subprocess.run([node(), "--check", file], check=True, timeout=60)
