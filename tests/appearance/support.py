"""Fourteen mail programs, and what our mails use although some of them don't take it: caniemail's data, each judged.

A feature that isn't here may be used only where all fourteen take it whole.
"""

CLIENTS = {
    "gmail.desktop-webmail": "Gmail, web",
    "gmail.ios": "Gmail, iOS",
    "gmail.android": "Gmail, Android",
    "outlook.windows": "Outlook, Windows (Word)",
    "outlook.macos": "Outlook, macOS",
    "outlook.outlook-com": "Outlook.com, and the new Outlook",
    "outlook.ios": "Outlook, iOS",
    "apple-mail.macos": "Apple Mail, macOS",
    "apple-mail.ios": "Apple Mail, iOS",
    "yahoo.desktop-webmail": "Yahoo, web",
    "samsung-email.android": "Samsung Email",
    "thunderbird.macos": "Thunderbird",
    "gmx.desktop-webmail": "GMX, web",
    "protonmail.desktop-webmail": "Proton Mail, web",
}
UNSUPPORTED = {
    # Style elements only add: phones' sizes and dark colours. test_looks.py has every mail without them.
    "<style> element": "all style stands in attributes; this one adds phones and dark",
    "!important keyword": "only in style elements, against the attributes",
    "@media": "what it adds is finer; the mail fits 320 px without it",
    "@media (prefers-color-scheme)": "without it the mail is light, or recoloured: looks 'forced dark' and 'inverted'",
    "Class selector": "only in style elements that add",
    "Chaining selectors": "only in style elements that add",
    "Descendant combinator": "only in style elements that add",
    "Attribute selector": "only of rules that match nothing in a mail; where they do, they stand in attributes",
    "Type selector": "the same",
    # Said twice, so that each program finds one of them.
    "<body> element": "what is dropped with it stands on the frame and its table again",
    "border-spacing": 'every table has cellspacing="0" as well',
    "dir attribute": "every element with it has `direction` too, spans `unicode-bidi`: look 'webmail'",
    "word-break": "with word-wrap; Word and GMX break long words by themselves",
    "word-wrap": "Word widens the column by a word longer than it; nothing breaks there",
    # For those who can hear or see it, and no loss for the others.
    "aria-label attribute": "names the frame for screen readers",
    "lang attribute": "voice and hyphens; fonts are named by script in style attributes",
    "role attribute": "tables stay tables there; cellpadding and reading order hold",
    "hyphens": "long headlines break anywhere instead",
    "overflow": "only of the preheader, which Word hides by mso-hide:all",
    "border-radius": "the button is square there",
    "height property": "only height:auto of pictures, whose attribute says the same; Yahoo makes it min-height",
}
"""What at least one of the fourteen doesn't take, and why we use it all the same."""

PARTIAL = {
    "<ul>, <ol> and <dl>": "in the editor's words: plain lists, never reversed, counted from one",
    "align attribute": "on cells; images aren't aligned",
    "background": "one colour, no picture",
    "background-color": "six-digit hex only",
    "border": "3 px at most, on cells",
    "display": "block and inline-block; Word's links stay inline, which it lays out by the line",
    "display:none": "of the preheader, which has no table and no picture in it",
    "font-size": "in px",
    "font-weight": "bold, no numbers",
    "height attribute": "in pixels",
    "line-height": "with mso-line-height-rule:exactly",
    "margin": "of p and headings, top only, never negative",
    "max-width": "on tables; Word gets a table of 600",
    "padding": "on cells",
    "text-align": "left, right and center",
    "text-decoration": "underline and none",
    "width attribute": "100 % on tables, pixels on pictures",
    "width property": "100 % of pictures, whose attribute says pixels for Word",
}
"""What at least one takes with a reservation, and why the reservation doesn't touch us."""
