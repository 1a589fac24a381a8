-- Users, their chats, and the chats' messages.

create table users (
    id           text        primary key,
    email        text        unique,
    name         text,
    is_anonymous boolean     not null default true,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now()
);

create table chats (
    id         text        primary key,
    user_id    text        not null references users on delete cascade,
    title      text        not null,
    visibility text        not null default 'private' check (visibility in ('private', 'public')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create index chats_of_user on chats (user_id, created_at desc, id desc);

-- A tree: an edited question and a regenerated answer are siblings of what they replace.
-- Ids come from clients, so they are unique within a chat only; seq is the order of arrival.
create table messages (
    seq        bigint      generated always as identity,
    chat_id    text        not null references chats on delete cascade,
    id         text        not null,
    parent_id  text,
    role       text        not null check (role in ('user', 'assistant')),
    status     text        not null default 'complete'
               check (status in ('streaming', 'complete', 'stopped', 'interrupted', 'error')),
    model      text,
    parts      jsonb       not null default '[]',
    details    jsonb       not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (chat_id, id),
    foreign key (chat_id, parent_id) references messages (chat_id, id)
        on update cascade on delete set null (parent_id)
);

create unique index messages_in_order on messages (chat_id, seq);
create index messages_by_parent on messages (chat_id, parent_id);
create index messages_streaming on messages (updated_at) where status = 'streaming';
