import type { DocumentKind } from "@/lib/api/documents";
import { Code, FileText, Image, type LucideIcon, Table2 } from "lucide-react";

export const KIND_ICONS: Record<DocumentKind, LucideIcon> = {
  text: FileText,
  code: Code,
  sheet: Table2,
  image: Image,
};
