-- A question and the empty answer to it, in one round trip: most of what a message costs are the
-- ways to the database and back. What cannot be is raised, so that nothing of it stays:
-- RL401 the asker is gone, RL403 another user's chat, RL400 the question's id is an answer's,
-- RL404 a file is gone, RL429 it would be a new answer, and none is allowed.

create function begin_exchange(
    asker text, asker_is_guest boolean, in_chat text, new_title text, new_visibility text,
    question_id text, question jsonb, file_ids text[], is_retry boolean,
    answer_id text, answer_model text, may_answer boolean, path_limit int,
    out is_new_chat boolean, out is_repeat boolean, out answer jsonb, out path jsonb
) language plpgsql as $$
declare
    closed    text;
    active    text;
    leaf      text;
    earlier   messages;
    is_fresh  boolean := true;
begin
    -- Held to the end: a guest who signs in takes along what is stored, or closes the door before.
    select upgraded_to into closed from users where id = asker for key share;
    if not found and asker_is_guest then
        insert into users (id) values (asker) on conflict (id) do nothing;
        select upgraded_to into closed from users where id = asker for key share;
    end if;
    if not found or closed is not null then
        raise exception 'the asker is gone' using errcode = 'RL401';
    end if;

    -- Whoever posts into the same chat waits here, and sees then what has been stored.
    insert into chats (id, user_id, title, visibility)
    values (in_chat, asker, new_title, new_visibility)
    on conflict (id) do update set updated_at = now() where chats.user_id = asker
    returning active_id, xmax = 0 into active, is_new_chat;
    if not found then
        raise exception 'another user''s chat' using errcode = 'RL403';
    end if;

    if active is not null then
        with recursive below as (
            select id, seq from messages where chat_id = in_chat and id = active
            union all
            select m.id, m.seq from below
            join messages m on m.chat_id = in_chat and m.parent_id = below.id
        )
        select id into leaf from below order by seq desc limit 1;
    elsif not is_new_chat then
        select id into leaf from messages where chat_id = in_chat order by seq desc limit 1;
    end if;

    insert into messages (chat_id, id, parent_id, role, parts)
    values (in_chat, question_id, leaf, 'user', question)
    on conflict (chat_id, id) do nothing;
    if not found then
        select * into earlier from messages where chat_id = in_chat and id = question_id;
        if earlier.role <> 'user' then
            raise exception 'the message is an answer' using errcode = 'RL400';
        end if;
        is_fresh := not is_retry and earlier.parts <> question;
        if is_fresh then  -- an edited question replaces the old one, which keeps its answers
            update messages set id = id || '.' || seq where chat_id = in_chat and id = question_id;
            insert into messages (chat_id, id, parent_id, role, parts)
            values (in_chat, question_id, earlier.parent_id, 'user', question);
        end if;
    end if;

    if is_fresh and cardinality(file_ids) > 0 then
        with mine as (
            update files set sent_at = now() where user_id = asker and id = any(file_ids)
            returning id
        ), kept as (
            insert into message_files select in_chat, question_id, id from mine
            on conflict do nothing
        )
        select from mine having count(*) = cardinality(file_ids);
        if not found then
            raise exception 'a file is gone' using errcode = 'RL404';
        end if;
    end if;

    if not is_fresh and not is_retry then
        select to_jsonb(m) into answer from messages m
        where chat_id = in_chat and parent_id = question_id and role = 'assistant'
        order by seq desc limit 1;
    end if;
    is_repeat := answer is not null;
    if not is_repeat then
        if not may_answer then
            raise exception 'no answer is allowed' using errcode = 'RL429';
        end if;
        insert into messages as m (chat_id, id, parent_id, role, status, model)
        values (in_chat, answer_id, question_id, 'assistant', 'streaming', answer_model)
        returning to_jsonb(m) into answer;
        if active is not null then  -- the newest branch is the one to see, from here on
            update chats set active_id = null where id = in_chat and user_id = asker;
        end if;
    end if;

    with recursive up as (
        select m as message, 1 as depth from messages m
        where m.chat_id = in_chat and m.id = question_id
        union all
        select m, depth + 1 from up
        join messages m on m.chat_id = in_chat and m.id = (up.message).parent_id
        where depth < path_limit
    )
    select jsonb_agg(to_jsonb(message) order by depth desc) into path from up;
end $$;
