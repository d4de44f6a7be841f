"""A Label Studio of one's own: started, found again, stopped; with the real one."""

from __future__ import annotations


def test_the_server_of_the_tests_answers(studio):
    from label_studio_sdk.client import LabelStudio

    assert LabelStudio(base_url=studio.url, api_key=studio.token).users.whoami().email == studio.username
