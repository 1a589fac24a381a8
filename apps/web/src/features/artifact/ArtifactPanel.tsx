import { errorMessage } from "@/lib/errors";
import { Suspense, lazy, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ArtifactState, DocumentRef } from "./artifact";
import { closeDocument } from "./artifacts";
import { Actions } from "./Actions";
import { DocumentBody } from "./DocumentBody";
import PanelFrame from "./PanelFrame";
import { PanelHeader } from "./PanelHeader";
import { Toolbar } from "./Toolbar";
import { useDocument } from "./useDocument";
import { useVersionChoice } from "./useVersionChoice";
import { VersionBar } from "./VersionBar";

const DiffView = lazy(() => import("./DiffView"));

interface ArtifactPanelProps {
  chatId: string;
  shown: DocumentRef;
  stream: ArtifactState["stream"];
  /** Of whoever looks: others' documents are read-only. */
  userId: string | undefined;
  /** Says something in the chat; returns whether it was taken. */
  onAsk: (text: string) => boolean;
}

export default function ArtifactPanel(props: ArtifactPanelProps) {
  const { chatId, shown, userId, onAsk } = props;
  const { t } = useTranslation("artifact");
  const stream = props.stream?.id === shown.id ? props.stream : undefined;
  const isWriting = stream !== undefined && !stream.isDone;
  const document = useDocument(shown.id, chatId, isWriting);
  const choice = useVersionChoice(document.versions);
  const [error, setError] = useState<string>();
  const version = choice.version;
  const isOwn = version !== undefined && version.userId === userId;
  const isEditable = isOwn && !stream && choice.isNewest;
  const kind = stream?.kind ?? version?.kind ?? shown.kind;
  const title = stream?.title ?? version?.title ?? shown.title;
  const written = choice.isNewest ? (document.draft ?? version?.content) : version?.content;
  const content = stream?.content ?? written;

  async function ask(text: string): Promise<void> {
    await document.flush();
    if (onAsk(text)) choice.showNewest();
  }

  return (
    <PanelFrame title={title} onClose={() => closeDocument(chatId)}>
      <PanelHeader
        title={title}
        kind={kind}
        status={stream ? "writing" : isOwn ? document.saveStatus : version ? "readonly" : "loading"}
        onClose={() => closeDocument(chatId)}
      >
        {content !== undefined && <Actions kind={kind} title={title} content={content} />}
      </PanelHeader>
      {isOwn && !stream && (
        <VersionBar choice={choice} note={document.note} onRestore={document.restore} />
      )}
      <div className="flex min-h-0 flex-1 flex-col">
        {choice.compared && !stream ? (
          <Suspense>
            <DiffView from={choice.compared} to={choice.version} isCode={kind !== "text"} />
          </Suspense>
        ) : content !== undefined ? (
          <DocumentBody
            key={kind}
            documentId={shown.id}
            kind={kind}
            title={title}
            content={content}
            versionId={stream ? "stream" : (version?.createdAt ?? "")}
            isWriting={isWriting}
            isOwn={isOwn}
            onEdit={isEditable ? document.edit : undefined}
            onError={setError}
          />
        ) : (
          <p role={document.error ? "alert" : "status"} className="p-6 text-muted-foreground">
            {document.error ? errorMessage(document.error) : t("loading")}
          </p>
        )}
      </div>
      {isEditable && (
        <Toolbar kind={kind} title={title} error={error} onAsk={(text) => void ask(text)} />
      )}
    </PanelFrame>
  );
}
