import { Suspense, lazy } from "react";
import { useTranslation } from "react-i18next";
import type { DocumentBodyProps } from "./documentBodyProps";

const TextDocument = lazy(() => import("./TextDocument"));
const CodeDocument = lazy(() => import("./CodeDocument"));
const SheetEditor = lazy(() => import("./SheetEditor"));
const ImageViewer = lazy(() => import("./ImageViewer"));

/** What a document says, each kind with the editor that it needs and nobody else loads. */
export function DocumentBody(props: DocumentBodyProps) {
  const { t } = useTranslation("artifact");
  return (
    <Suspense fallback={<p className="p-6 text-muted-foreground">{t("loading")}</p>}>
      <Kind {...props} />
    </Suspense>
  );
}

function Kind(props: DocumentBodyProps) {
  switch (props.kind) {
    case "text":
      return <TextDocument {...props} />;
    case "code":
      return <CodeDocument {...props} />;
    case "sheet":
      return <SheetEditor {...props} />;
    case "image":
      return <ImageViewer title={props.title} content={props.content} />;
  }
}
