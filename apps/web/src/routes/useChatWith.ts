import { useModels } from "@/features/models/useModels";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";

/** Opens a new chat with a model, which may have been loaded a moment ago. */
export function useChatWith(): (model: string) => Promise<void> {
  const client = useQueryClient();
  const navigate = useNavigate();
  const { choose } = useModels();
  return async (model) => {
    await client.invalidateQueries({ queryKey: ["models"] });
    choose(model);
    await navigate({ to: "/" });
  };
}
