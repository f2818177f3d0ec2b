"""Queries of every kind, and what must stand in their request."""

from hypothesis import strategies as st

from altcraft_balance.models import (
    BalanceQuery,
    ByCustomField,
    ByEmail,
    ByPhone,
    ByProfileId,
    CurrencyEid,
    CurrencyIid,
    RawMatching,
)

#: Everything that XML 1.0 can carry.
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("<>&\"'\t\n\r]"),
    min_size=1,
    max_size=20,
).filter(str.strip)
#: What a member is found by has no blanks around it and no line breaks in it.
KEYS = TEXTS.map(lambda text: " ".join(text.split()))
NAMES = st.from_regex(r"[a-z][a-z_0-9]{1,8}", fullmatch=True).filter(lambda name: name != "xml")
IDS = st.integers(1, 2**31 - 1)
VALUES = TEXTS | st.integers(-(2**53), 2**53) | st.booleans()
CURRENCIES = st.none() | st.builds(CurrencyIid, IDS) | st.builds(CurrencyEid, KEYS)


@st.composite
def asked(draw):
    """A query, and the fields by which its member is found, in the order of the reference page."""
    text, key = draw(TEXTS), draw(KEYS)
    email, phone = f"{key}@example.com", f"+7{key}"
    value = draw(TEXTS | st.integers(-(2**53), 2**53))
    raw = {"matching": text} | draw(st.dictionaries(NAMES.map("raw_".__add__), VALUES, max_size=3))
    matching, fields = draw(
        st.sampled_from(
            [
                (ByEmail(email), {"matching": "email", "email": email}),
                (ByPhone(phone), {"matching": "phone", "phone": phone}),
                (ByProfileId(key), {"matching": "profile_id", "profile_id": key}),
                (
                    ByCustomField(key, value),
                    {"matching": "custom", "field_name": key, "field_value": value},
                ),
                (RawMatching(raw), raw),
            ]
        )
    )
    extra = draw(st.dictionaries(NAMES.map("extra_".__add__), VALUES, max_size=2))
    query = BalanceQuery(
        matching, loyalty_program_id=draw(IDS), currency=draw(CURRENCIES), extra=extra or None
    )
    return query, head_of(query) | fields | extra


def head_of(query):
    """What comes before the member's fields, but for the token."""
    fields = {"loyalty_program_id": query.loyalty_program_id}
    if isinstance(query.currency, CurrencyIid):
        fields["points_currency_iid"] = query.currency.iid
    elif query.currency is not None:
        fields["points_currency_eid"] = query.currency.eid
    return fields
