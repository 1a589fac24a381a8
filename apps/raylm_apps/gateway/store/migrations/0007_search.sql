-- Searching in any script: accents folded, and words found where no spaces part them.
--
-- The words of messages that are not all ASCII are made anew, 2,000 messages a second on two old
-- cores (of the others 100,000 a second are looked at). So long the gateway that starts waits, and
-- one of the version before goes on: only in the last seconds, while titles get their index, do
-- its changes of chats wait.

create extension if not exists unaccent;

-- Before and after each character of scripts without spaces (Thai, Lao, Tibetan, Burmese, Khmer,
-- Chinese, Japanese; Korean, whose words take endings), and each mark that is not ASCII, which
-- PostgreSQL takes for letters in some locales, goes a control character: it parts words, and
-- nobody sees it.
create function spaced(written text) returns text language sql immutable return
    regexp_replace(written, '([\u00a0-\u00bf\u0e00-\u109f\u1780-\u17ff\u2000-\u206f\u20a0-\u20cf'
        '\u2190-\u2bff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe00-\ufe6f'
        '\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uffef\U0001f000-\U0001faff'
        '\U00020000-\U0003ffff])', chr(31) || '\1' || chr(31), 'g');

-- The same without the marks: what is between them stands side by side.
create function wording(written text) returns text language sql immutable return
    spaced(regexp_replace(written, '[\u00a0-\u00bf\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff'
        '\u3000-\u303f\ufe00-\ufe6f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65'
        '\U0001f000-\U0001faff]', ' ', 'g'));

create function folded(written text) returns text language sql immutable return
    lower(unaccent('unaccent'::regdictionary, written));

alter text search configuration words
    alter mapping for word, hword, hword_part with unaccent, every_stem;
alter text search configuration words
    alter mapping for numword, numhword, hword_numpart with unaccent, simple;

-- For a word that is still being written, which has no stem yet.
create text search configuration unstemmed (copy = simple);
alter text search configuration unstemmed
    alter mapping for word, hword, hword_part, numword, numhword, hword_numpart
    with unaccent, simple;

create or replace function keep_words() returns trigger language plpgsql as $$
begin
    insert into message_words
    select m.chat_id, m.seq, c.user_id, to_tsvector('words', wording(message_text(m.parts)))
    from messages m join chats c on c.id = m.chat_id
    where m.chat_id = new.chat_id and m.id in (new.id, new.parent_id)
    on conflict (chat_id, seq) do update set words = excluded.words;
    return null;
end $$;

update message_words w
set words = to_tsvector('words', wording(message_text(m.parts)))
from messages m
where m.chat_id = w.chat_id and m.seq = w.seq
  and octet_length(w.words::text) <> length(w.words::text);

drop index chats_by_title;
create index chats_by_title on chats using gin (user_id, folded(title) gin_trgm_ops)
    with (gin_pending_list_limit = 256);
