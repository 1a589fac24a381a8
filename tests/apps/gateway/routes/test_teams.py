from typing import Any

import pytest

from tests.apps.gateway.harness import GatewayProcess, User, new_id

pytestmark = pytest.mark.services


@pytest.fixture
def team(ada: User, babbage: User) -> dict[str, Any]:
    """Ada's, with Babbage in it."""
    ada.register()
    team = ada.http.post("/api/teams", json={"name": "Engines"}).json()
    email = babbage.register()
    spelled = f" {email.upper()} "
    added = ada.http.post(f"/api/teams/{team['id']}/members", json={"email": spelled})
    assert added.status_code == 201, added.text
    return team


def readable(user: User, chat: str) -> bool:
    return user.http.get(f"/api/messages?chatId={chat}").status_code == 200


def shared(user: User, team: dict[str, Any]) -> list[str]:
    return [chat["id"] for chat in user.http.get(f"/api/teams/{team['id']}/chats").json()["chats"]]


def test_members_see_each_other_but_no_addresses(
    ada: User, babbage: User, team: dict[str, Any]
) -> None:
    for user, sees_addresses in ((ada, True), (babbage, False)):
        assert [t["id"] for t in user.http.get("/api/teams").json()["teams"]] == [team["id"]]
        members = user.http.get(f"/api/teams/{team['id']}/members").json()["members"]
        assert [member["userId"] for member in members] == [ada.id, babbage.id]
        assert all(bool(member["email"]) is sees_addresses for member in members)


def test_members_read_a_shared_chat_and_write_nothing(
    ada: User, babbage: User, gateway: GatewayProcess, chat: str, team: dict[str, Any]
) -> None:
    ada.ask("For the team", chat=chat)
    assert not readable(babbage, chat)
    ada.http.patch(f"/api/chat/{chat}", json={"teamId": team["id"]})
    assert readable(babbage, chat)
    assert not readable(gateway.user(), chat)
    assert shared(babbage, team) == [chat]
    assert babbage.ask("Mine now", chat=chat).status_code == 403
    assert babbage.http.patch(f"/api/chat/{chat}", json={"title": "Mine"}).status_code == 403
    ada.http.patch(f"/api/chat/{chat}", json={"teamId": None})
    assert not readable(babbage, chat)


def test_a_shared_folder_shares_its_chats(
    ada: User, babbage: User, chat: str, team: dict[str, Any]
) -> None:
    ada.ask("For the team", chat=chat)
    folder = ada.http.post("/api/folders", json={"name": "Ours"}).json()
    ada.http.patch(f"/api/chat/{chat}", json={"folderId": folder["id"]})
    changed = ada.http.patch(f"/api/folders/{folder['id']}", json={"teamId": team["id"]}).json()
    assert (changed["teamId"], changed["name"]) == (team["id"], "Ours")
    assert readable(babbage, chat)
    assert shared(babbage, team) == [chat]
    ada.http.patch(f"/api/chat/{chat}", json={"folderId": None})
    assert not readable(babbage, chat)


def test_what_is_shared_comes_in_pages(ada: User, babbage: User, team: dict[str, Any]) -> None:
    chats = [new_id() for _ in range(3)]
    for user, chat in zip((ada, babbage, ada), chats, strict=True):
        user.ask("For the team", chat=chat)
        user.http.patch(f"/api/chat/{chat}", json={"teamId": team["id"]})
    url = f"/api/teams/{team['id']}/chats?limit=2"
    first = babbage.http.get(url).json()
    assert ([chat["id"] for chat in first["chats"]], first["hasMore"]) == (chats[:0:-1], True)
    second = babbage.http.get(f"{url}&ending_before={chats[1]}").json()
    assert ([chat["id"] for chat in second["chats"]], second["hasMore"]) == (chats[:1], False)


def test_who_leaves_shares_no_more_and_reads_no_more(
    ada: User, babbage: User, chat: str, team: dict[str, Any]
) -> None:
    babbage.ask("For the team", chat=chat)
    babbage.http.patch(f"/api/chat/{chat}", json={"teamId": team["id"]})
    assert readable(ada, chat)
    members = f"/api/teams/{team['id']}/members"
    assert babbage.http.delete(f"{members}/{ada.id}").status_code == 404
    assert babbage.http.delete(f"{members}/{babbage.id}").json() == {"success": True}
    assert not readable(ada, chat)
    assert babbage.http.get(members).status_code == 404
    assert ada.http.delete(f"{members}/{ada.id}").status_code == 404


def test_a_deleted_team_leaves_chats_to_their_owners(
    ada: User, babbage: User, chat: str, team: dict[str, Any]
) -> None:
    babbage.ask("For the team", chat=chat)
    babbage.http.patch(f"/api/chat/{chat}", json={"teamId": team["id"]})
    assert babbage.http.delete(f"/api/teams/{team['id']}").status_code == 404
    assert ada.http.delete(f"/api/teams/{team['id']}").status_code == 200
    assert not readable(ada, chat)
    assert len(babbage.messages(chat)) == 2


def test_teams_are_for_accounts(ada: User, babbage: User, chat: str) -> None:
    babbage.ask("Hi", chat=chat)
    refused = ada.http.post("/api/teams", json={"name": "Guests"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden:team")
    ada.register()
    team = ada.http.post("/api/teams", json={"name": "Accounts"}).json()
    nobody = ada.http.post(f"/api/teams/{team['id']}/members", json={"email": "no@example.org"})
    assert (nobody.status_code, nobody.json()["code"]) == (404, "not_found:user")


def test_members_visibility_is_for_accounts(
    ada: User, babbage: User, gateway: GatewayProcess, chat: str
) -> None:
    ada.ask("For whoever signed in", chat=chat)
    ada.http.patch(f"/api/chat/{chat}", json={"visibility": "members"})
    assert not readable(babbage, chat)
    babbage.register()
    assert readable(babbage, chat)
    assert not readable(gateway.user(), chat)
    babbage.http.cookies.clear()
    assert not readable(babbage, chat)
