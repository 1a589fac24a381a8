"""One of everything that a user can own."""

from dataclasses import dataclass
from typing import Any

from tests.apps.gateway.harness import User, new_id

SECRET = "For my eyes only"


@dataclass
class Estate:
    """By the name of the parameter that takes it."""

    ids: dict[str, str]
    email: str

    @classmethod
    def of(cls, user: User, chat: str) -> "Estate":
        user.ask(SECRET, chat=chat, message_id="question-1")
        email = user.register()
        folder = user.http.post("/api/folders", json={"name": SECRET}).json()["id"]
        team = user.http.post("/api/teams", json={"name": SECRET}).json()["id"]
        user.http.patch(f"/api/chat/{chat}", json={"folderId": folder, "teamId": team})
        message = user.answer(chat)["id"]
        user.http.patch("/api/vote", json={"chatId": chat, "messageId": message, "type": "up"})
        ids = {"chat_id": chat, "chatId": chat, "id": chat, "starting_after": chat}
        ids |= {"ending_before": chat, "folder": folder, "folder_id": folder, "folderId": folder}
        ids |= {"team_id": team, "teamId": team, "user_id": user.id}
        document, text = new_id(), {"title": SECRET, "kind": "text", "content": SECRET}
        version = user.http.post("/api/document", params={"id": document}, json=text).json()[0]
        ids |= {
            "documentId": document,
            "timestamp": version["createdAt"],
            "suggestion_id": new_id(),
        }
        ids |= {"from": version["createdAt"]}
        upload = user.http.post("/api/files/upload", files={"file": ("a.txt", SECRET.encode())})
        ids["file_id"] = upload.json()["id"]
        key = user.http.post("/api/keys", json={"name": SECRET}).json()["id"]
        session = user.http.get("/api/auth/sessions").json()["sessions"][0]["id"]
        ids |= {"key_id": key, "session_id": session, "budget_id": new_id()}
        ids |= {"run_id": "none", "checkpoint": "latest", "model": "raylm/none"}
        ids |= {"message_id": message, "messageId": message, "leaf": message, "before": message}
        return cls(ids, email)

    def body(self, method: str, route: str) -> dict[str, Any] | None:
        chat, message = self.ids["chat_id"], self.ids["message_id"]
        question = {"id": "question-1", "role": "user", "parts": [{"type": "text", "text": "Me"}]}
        bodies: dict[tuple[str, str], dict[str, Any]] = {
            ("POST", "/api/chat"): {
                "id": chat,
                "message": question,
                "selectedChatModel": "mock/echo",
            },
            ("POST", "/v1/chat/completions"): {
                "model": "mock/echo",
                "messages": [{"role": "user", "content": "Me"}],
            },
            ("POST", "/v1/embeddings"): {"model": "openai/none", "input": "Me"},
            ("POST", "/v1/completions"): {"model": "mock/echo", "prompt": "Me"},
            ("PATCH", "/api/chat/{chat_id}"): {"title": "Stolen", "visibility": "public"},
            ("POST", "/api/chat/{chat_id}/branch"): {"messageId": message},
            ("POST", "/v1/messages"): {
                "model": "mock/echo",
                "max_tokens": 9,
                "messages": [{"role": "user", "content": "Me"}],
            },
            ("POST", "/v1/messages/count_tokens"): {
                "model": "mock/echo",
                "messages": [{"role": "user", "content": "Me"}],
            },
            ("PATCH", "/api/vote"): {"chatId": chat, "messageId": message, "type": "down"},
            ("POST", "/api/folders"): {"name": "Mine"},
            ("PATCH", "/api/folders/{folder_id}"): {"name": "Stolen"},
            ("POST", "/api/teams"): {"name": "Mine"},
            ("POST", "/api/document"): {"title": "Stolen", "kind": "text", "content": "Stolen"},
            ("PATCH", "/api/suggestions/{suggestion_id}"): {"status": "resolved"},
            ("POST", "/api/keys"): {"name": "Mine"},
            ("PATCH", "/api/keys/{key_id}"): {"budget": None},
            ("POST", "/api/admin/budgets"): {
                "subject": "user",
                "subjectId": self.ids["user_id"],
                "requests": 0,
            },
            ("PATCH", "/api/admin/budgets/{budget_id}"): {"requests": 0},
            ("POST", "/api/admin/models"): {"model": "smollm2"},
            ("POST", "/api/auth/register"): {"email": self.email, "password": "a stranger's"},
            ("POST", "/api/auth/login"): {"email": self.email, "password": "a stranger's"},
            ("POST", "/api/teams/{team_id}/members"): {"email": self.email},
            ("POST", "/api/auth/password"): {"password": "a stranger's"},
            ("POST", "/api/auth/password/forgot"): {"email": self.email},
            ("POST", "/api/auth/password/reset"): {"token": "x", "password": "a stranger's"},
            ("POST", "/api/auth/verify"): {"token": "x"},
        }
        return bodies.get((method, route))

    def id_of(self, route: str, name: str) -> str:
        is_document = name == "id" and route.startswith("/api/document")
        return self.ids["documentId" if is_document else name]

    def secrets(self) -> set[str]:
        return {SECRET, self.email, *self.ids.values()}
