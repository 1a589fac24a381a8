-- Uploads, the messages that hold them, and the objects in the file store that no file needs.

create table files (
    id           text        primary key,
    user_id      text        not null references users on delete cascade,
    name         text        not null,
    content_type text        not null,
    size_bytes   bigint      not null,
    text         text,
    object_key   text        not null unique,
    created_at   timestamptz not null default now(),
    sent_at      timestamptz
);

create index files_of_user on files (user_id);

create table message_files (
    chat_id    text not null,
    message_id text not null,
    file_id    text not null references files on delete cascade,
    primary key (chat_id, message_id, file_id),
    foreign key (chat_id, message_id) references messages (chat_id, id)
        on update cascade on delete cascade
);

create index message_files_by_file on message_files (file_id);

-- A key is here before its object is written, and again once its file is gone: no object is lost.
create table loose_objects (
    object_key text        primary key,
    due_at     timestamptz not null
);

create index loose_objects_due on loose_objects (due_at);

create function loosen_object() returns trigger language plpgsql as $$
begin
    insert into loose_objects (object_key, due_at) values (old.object_key, now())
    on conflict (object_key) do nothing;
    return null;
end $$;

create trigger files_loosen_object after delete on files
    for each row execute function loosen_object();
