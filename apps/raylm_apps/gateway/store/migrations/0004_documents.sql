-- Documents beside the chat. A version is a row and never a difference; suggestions belong to one.

create table documents (
    id         text        primary key,
    user_id    text        not null references users on delete cascade,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create index documents_of_user on documents (user_id, updated_at desc, id);

-- Whole milliseconds, each later than the one before: a page's clock has no more, and names a
-- version by its time.
create table document_versions (
    document_id text        not null references documents on delete cascade,
    created_at  timestamptz not null,
    title       text        not null,
    kind        text        not null check (kind in ('text', 'code', 'image', 'sheet')),
    content     text        not null,
    primary key (document_id, created_at)
);

create table suggestions (
    seq                 bigint      generated always as identity,
    id                  text        primary key,
    document_id         text        not null,
    document_created_at timestamptz not null,
    user_id             text        not null references users on delete cascade,
    original_text       text        not null,
    suggested_text      text        not null,
    description         text        not null,
    status              text        not null default 'open'
                        check (status in ('open', 'resolved', 'dismissed')),
    created_at          timestamptz not null default now(),
    foreign key (document_id, document_created_at)
        references document_versions (document_id, created_at) on delete cascade
);

create index suggestions_of_version on suggestions (document_id, document_created_at);
create index suggestions_of_user on suggestions (user_id);
