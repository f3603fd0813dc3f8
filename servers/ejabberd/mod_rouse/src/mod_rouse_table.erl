%% What all processes may look up: an ETS table that belongs to the queue's process and bears its name.
-module(mod_rouse_table).

-export([name/1, new/1, note/3, noted/2, session/4, forget/3, is_of/4, woken/3, heard/4, heard_lately/2, said/4, has_said/4, called/4, known_as/4, nick/3, wrote/4, sender/3, unread/3, is_unread/3, tidy/1]).

-define(HEARD_LATELY, 10000).
-define(SAID, 120000).
-define(MAX_SAID, 10000).
-define(CALLED, 2592000000). % 30 days
-define(MAX_CALLED, 100000).
-define(WROTE, 3600000).
-define(UNREAD, 604800000). % 7 days
-define(MAX_UNREAD, 200000).

name(Host) -> gen_mod:get_module_proc(Host, mod_rouse).

new(Host) ->
    ets:new(name(Host), [named_table, public, ordered_set, {read_concurrency, true}]),
    [note(Host, What, 0) || What <- [said, called, unread]]. % how many there are

note(Host, What, Value) -> ets:insert(name(Host), {What, Value}).

noted(Host, What) ->
    try ets:lookup_element(name(Host), What, 2)
    catch error:badarg -> undefined
    end.

%% --- Sessions: which process has it, and when its client was heard.

session(Host, User, Sid, Pid) -> ets:insert(name(Host), {{session, User, Sid}, Pid, now_ms()}).

forget(Host, User, Sid) -> ets:delete(name(Host), {session, User, Sid}).

is_of(Host, User, Sid, Pid) ->
    case ets:lookup(name(Host), {session, User, Sid}) of
	[{_, Pid, _}] -> true;
	_ -> false
    end.

woken(Host, User, Sid) ->
    case ets:lookup(name(Host), {session, User, Sid}) of
	[{_, Pid, _}] -> Pid ! {rouse, {woken, Sid}}, true;
	[] -> false
    end.

heard(Host, User, Sid, Now) -> ets:update_element(name(Host), {session, User, Sid}, {3, Now}).

heard_lately(Host, User) ->
    Since = now_ms() - ?HEARD_LATELY,
    ets:select(name(Host), [{{{session, User, '$1'}, '_', '$2'}, [{'>=', '$2', Since}], ['$1']}]).

%% --- What clients of ours have said in rooms. Its words come back.

said(Host, User, Room, ID) ->
    noted(Host, said) < ?MAX_SAID andalso ets:insert_new(name(Host), {{said, User, Room, ID}, now_ms()}) andalso
	ets:update_counter(name(Host), said, 1),
    ok.

has_said(_, _, _, <<>>) -> false;
has_said(Host, User, Room, ID) ->
    case ets:lookup(name(Host), {said, User, Room, ID}) of
	[{_, At}] -> now_ms() - At < ?SAID;
	[] -> false
    end.

%% --- What users are called in rooms, as the rooms said when they came in.

called(Host, User, Room, Nick) ->
    Key = {called, User, Room},
    ets:update_element(name(Host), Key, [{2, now_ms()}, {3, Nick}]) orelse
	noted(Host, called) < ?MAX_CALLED andalso ets:insert_new(name(Host), {Key, now_ms(), Nick}) andalso
	ets:update_counter(name(Host), called, 1),
    ok.

%% As a client says; the room knows better.
known_as(Host, User, Room, Nick) ->
    nick(Host, User, Room) == undefined andalso called(Host, User, Room, Nick),
    ok.

nick(Host, User, Room) ->
    Key = {called, User, Room},
    case ets:lookup(name(Host), Key) of
	[{_, At, Nick}] ->
	    Now = now_ms(),
	    Now - At > ?CALLED div 30 andalso ets:update_element(name(Host), Key, {2, Now}), % the room is in use
	    Nick;
	[] -> undefined
    end.

%% --- Who wrote last to a user: one of each class, for publishes that shall name them.

wrote(_, _, _, undefined) -> ok;
wrote(Host, User, Class, Sender) -> ets:insert(name(Host), {{wrote, User, Class}, now_ms(), Sender}).

sender(Host, User, Class) ->
    try ets:lookup(name(Host), {wrote, User, Class}) of
	[{_, At, Sender}] -> {At, Sender};
	[] -> undefined
    catch error:badarg -> undefined
    end.

%% --- Chats and calls of which something was told since the user read, or answered.

unread(_, _, undefined) -> ok;
unread(Host, User, Chat) ->
    Key = {unread, User, Chat},
    ets:update_element(name(Host), Key, {2, now_ms()}) orelse
	noted(Host, unread) < ?MAX_UNREAD andalso ets:insert_new(name(Host), {Key, now_ms()}) andalso
	ets:update_counter(name(Host), unread, 1),
    ok.

%% Not for long: who asks says that it was read. Where there are too many to know, it may be.
is_unread(Host, User, Chat) ->
    case ets:take(name(Host), {unread, User, Chat}) of
	[_] -> ets:update_counter(name(Host), unread, -1), true;
	[] -> noted(Host, unread) >= ?MAX_UNREAD
    end.

tidy(Host) ->
    Now = now_ms(),
    Gone = ets:select_delete(name(Host), [{{{said, '_', '_', '_'}, '$1'}, [{'<', '$1', Now - ?SAID}], [true]}]),
    ets:update_counter(name(Host), said, -Gone),
    Left = ets:select_delete(name(Host), [{{{called, '_', '_'}, '$1', '_'}, [{'<', '$1', Now - ?CALLED}], [true]}]),
    ets:update_counter(name(Host), called, -Left),
    Read = ets:select_delete(name(Host), [{{{unread, '_', '_'}, '$1'}, [{'<', '$1', Now - ?UNREAD}], [true]}]),
    ets:update_counter(name(Host), unread, -Read),
    ets:select_delete(name(Host), [{{{sealed, '_', '_', '_', '_'}, {'$1', '_'}}, [{'<', '$1', Now - ?WROTE}], [true]}]),
    ets:select_delete(name(Host), [{{{wrote, '_', '_'}, '$1', '_'}, [{'<', '$1', Now - ?WROTE}], [true]}]).

now_ms() -> erlang:system_time(millisecond).
