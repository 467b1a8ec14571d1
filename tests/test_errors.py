"""Messages about names that do not exist."""

import errors

NAMES = ["email_1_roi", "email_2_caso", "email_3_ultima_llamada"]


def test_an_unknown_name_is_repeated_with_the_nearest_and_all_that_exist() -> None:
    message = errors.unknown("Email_1_ROY", NAMES)
    assert message == f"'Email_1_ROY' is not known; did you mean email_1_roi? There are {', '.join(NAMES)}"


def test_without_a_near_name_none_is_suggested() -> None:
    assert errors.unknown("zzz", NAMES) == f"'zzz' is not known; there are {', '.join(NAMES)}"
    assert errors.unknown("zzz", []) == "'zzz' is not known; there are none"


def test_a_long_value_is_cut_a_long_list_ends_and_an_address_is_not_repeated() -> None:
    message = errors.unknown("x" * 5_000, [f"name_{number}" for number in range(100)])
    assert len(message) < 500 and message.endswith("name_29 and 70 more")
    assert errors.unknown("ana@empresa.example", NAMES).startswith("this value is not known; there are")
    assert errors.unknown("a\nb", NAMES).startswith("'a\\nb' is not known")
