-- Folders, teams, archive, branches, votes, usage, and the words that chats are searched by.

create extension if not exists pg_trgm;
create extension if not exists btree_gin;

create table teams (
    id         text        primary key,
    owner_id   text        not null references users on delete cascade,
    name       text        not null,
    created_at timestamptz not null default now()
);

create table team_members (
    team_id   text        not null references teams on delete cascade,
    user_id   text        not null references users on delete cascade,
    joined_at timestamptz not null default now(),
    primary key (team_id, user_id)
);

create index teams_of_owner on teams (owner_id);
create index teams_of_member on team_members (user_id, joined_at);

create table folders (
    id         text        primary key,
    user_id    text        not null references users on delete cascade,
    team_id    text        references teams on delete set null,
    name       text        not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create index folders_of_user on folders (user_id, name, id);
create index folders_of_team on folders (team_id) where team_id is not null;

-- active_id: the message whose branch people see; null is the newest message.
alter table chats
    drop constraint chats_visibility_check,
    add constraint chats_visibility_check check (visibility in ('private', 'members', 'public')),
    add column folder_id text references folders on delete set null,
    add column team_id text references teams on delete set null,
    add column archived_at timestamptz,
    add column active_id text,
    add constraint chats_active_id_fkey foreign key (id, active_id)
        references messages (chat_id, id) on update cascade on delete set null (active_id);

create index chats_active on chats (user_id, created_at desc, id desc) where archived_at is null;
create index chats_archived on chats (user_id, created_at desc, id desc)
    where archived_at is not null;
create index chats_of_folder on chats (folder_id, created_at desc, id desc)
    where folder_id is not null;
create index chats_of_team on chats (team_id, created_at desc, id desc)
    where team_id is not null;

-- The one place that says who reads a chat. A reader without a session is null.
create function may_read(chat chats, reader text) returns boolean language sql stable as $$
    select coalesce(chat.user_id = reader, false)
        or chat.visibility = 'public'
        or chat.visibility = 'members'
           and exists (select from users where id = reader and not is_anonymous)
        or exists (
            select from team_members m where m.user_id = reader
            and (m.team_id = chat.team_id
                 or m.team_id = (select team_id from folders where id = chat.folder_id))
        )
$$;

create table votes (
    chat_id    text        not null,
    message_id text        not null,
    is_upvoted boolean     not null,
    updated_at timestamptz not null default now(),
    primary key (chat_id, message_id),
    foreign key (chat_id, message_id) references messages (chat_id, id)
        on update cascade on delete cascade
);

-- What answers have cost, kept when their chats are deleted.
create table usage (
    user_id       text   not null references users on delete cascade,
    day           date   not null,
    model         text   not null,
    requests      bigint not null,
    input_tokens  bigint not null,
    output_tokens bigint not null,
    primary key (user_id, day, model)
);

create function counted(details jsonb, kind text) returns bigint language sql immutable as $$
    select case jsonb_typeof(details -> 'usage' -> kind)
           when 'number' then trunc((details -> 'usage' ->> kind)::numeric)::bigint else 0 end
$$;

-- An answer that ended and goes on is taken back where it was counted, and counted whole when it
-- ends again. The lock is for a guest who is signing in: the next statement sees who has the chat
-- then.
create function count_usage() returns trigger language plpgsql as $$
declare
    ended messages := case when new.status = 'streaming' then old else new end;
    sign  bigint   := case when new.status = 'streaming' then -1 else 1 end;
begin
    perform from users where id = (select user_id from chats where id = new.chat_id) for key share;
    insert into usage
    select user_id, (ended.updated_at at time zone 'utc')::date, coalesce(ended.model, 'unknown'),
           sign, sign * counted(ended.details, 'inputTokens'),
           sign * counted(ended.details, 'outputTokens')
    from chats where id = new.chat_id
    on conflict (user_id, day, model) do update
    set requests = usage.requests + excluded.requests,
        input_tokens = usage.input_tokens + excluded.input_tokens,
        output_tokens = usage.output_tokens + excluded.output_tokens;
    return null;
end $$;

create trigger count_usage after update of status on messages
    for each row when ((old.status = 'streaming') <> (new.status = 'streaming'))
    execute function count_usage();

-- English stems, but no stop words: "to be or not to be" is a search, and so is another language's.
create text search dictionary every_stem (template = snowball, language = english);
create text search configuration words (copy = english);
alter text search configuration words
    alter mapping for asciiword, asciihword, hword_asciipart, word, hword, hword_part
    with every_stem;

-- Beside the messages: written for question and answer once the answer has ended, so that neither
-- the first token nor a checkpoint waits for it; narrow, and with the owner in the index, so that a
-- search touches only the searcher's rows.
create table message_words (
    chat_id text     not null,
    seq     bigint   not null,
    user_id text     not null,
    words   tsvector not null,
    primary key (chat_id, seq),
    foreign key (chat_id, seq) references messages (chat_id, seq) on delete cascade
);

-- A tsvector holds less than 1 MiB.
create function message_text(parts jsonb) returns text language sql immutable as $$
    select left(coalesce(string_agg(part ->> 'text', e'\n' order by place), ''), 100000)
    from jsonb_array_elements(parts) with ordinality as p (part, place)
    where part ->> 'type' = 'text'
$$;

create function keep_words() returns trigger language plpgsql as $$
begin
    insert into message_words
    select m.chat_id, m.seq, c.user_id, to_tsvector('words', message_text(m.parts))
    from messages m join chats c on c.id = m.chat_id
    where m.chat_id = new.chat_id and m.id in (new.id, new.parent_id)
    on conflict (chat_id, seq) do update set words = excluded.words;
    return null;
end $$;

create trigger keep_words after insert or update of parts, status on messages
    for each row when (new.role = 'assistant' and new.status <> 'streaming')
    execute function keep_words();

insert into message_words
select m.chat_id, m.seq, c.user_id, to_tsvector('words', message_text(m.parts))
from messages m join chats c on c.id = m.chat_id where m.status <> 'streaming';

-- A small pending list: every search reads all of it.
create index message_words_of_user on message_words using gin (user_id, words)
    with (gin_pending_list_limit = 256);
create index chats_by_title on chats using gin (user_id, title gin_trgm_ops)
    with (gin_pending_list_limit = 256);

-- A chat that changes hands (a guest who signs in) takes its words along, and leaves what is not
-- its new owner's.
create function change_hands() returns trigger language plpgsql as $$
begin
    update message_words set user_id = new.user_id where chat_id = new.id;
    new.folder_id := (select id from folders where id = new.folder_id and user_id = new.user_id);
    new.team_id := (select team_id from team_members
                    where team_id = new.team_id and user_id = new.user_id);
    return new;
end $$;

create trigger change_hands before update of user_id on chats
    for each row when (old.user_id <> new.user_id) execute function change_hands();
