import { ThumbsDown, ThumbsUp } from "lucide-react";
import { useTranslation } from "react-i18next";
import { ActionButton } from "./ActionButton";
import { useVote } from "./useVote";

interface VoteButtonsProps {
  chatId: string;
  messageId: string;
}

export function VoteButtons({ chatId, messageId }: VoteButtonsProps) {
  const { t } = useTranslation("chat");
  const { isUpvoted, vote } = useVote(chatId, messageId);
  return (
    <>
      <ActionButton
        label={t("upvote")}
        data-testid="message-upvote"
        aria-pressed={isUpvoted === true}
        onClick={() => vote(true)}
      >
        <ThumbsUp className={isUpvoted === true ? "size-4 fill-current" : "size-4"} />
      </ActionButton>
      <ActionButton
        label={t("downvote")}
        data-testid="message-downvote"
        aria-pressed={isUpvoted === false}
        onClick={() => vote(false)}
      >
        <ThumbsDown className={isUpvoted === false ? "size-4 fill-current" : "size-4"} />
      </ActionButton>
    </>
  );
}
