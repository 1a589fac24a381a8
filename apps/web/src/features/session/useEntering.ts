import { type Credentials, type User, logIn, register } from "@/lib/api/session";
import { GatewayError, errorMessage } from "@/lib/errors";
import { t } from "@/lib/i18n";
import { notifyRefusal, notifySuccess } from "@/lib/notify";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { sessionQuery } from "./sessionQuery";

/** Signing in: a guest's chats come along. */
export function useLogIn(onEntered?: () => void) {
  return useEntering(logIn, onEntered);
}

/** A new account, signed in at once. */
export function useRegister() {
  return useEntering(async (credentials) => {
    const user = await register(credentials);
    void notifySuccess(t("session:accountCreated"));
    return user;
  });
}

function useEntering(
  enter: (credentials: Credentials) => Promise<User | null>,
  onEntered?: () => void,
) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const { mutate, isPending, error } = useMutation({
    mutationFn: enter,
    onSuccess: async (user) => {
      // What was read belongs to the guest; some of it belongs to the account now.
      client.clear();
      client.setQueryData(sessionQuery.queryKey, user);
      if (onEntered) onEntered();
      else await navigate({ to: "/" });
    },
    onError: (refusal) => {
      if (isTaken(refusal)) void notifyRefusal(t("session:accountExists"));
    },
  });
  return { enter: mutate, isPending, reason: error && reasonOf(error) };
}

function isTaken(error: unknown): boolean {
  return error instanceof GatewayError && error.code === "conflict:auth";
}

function reasonOf(error: Error): string {
  if (isTaken(error)) return t("session:accountExists");
  if (error instanceof GatewayError && error.status === 401) return t("session:wrong");
  if (error instanceof GatewayError && error.status === 400) return t("session:invalid");
  return errorMessage(error);
}
