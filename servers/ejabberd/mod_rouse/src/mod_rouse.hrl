-define(NS_ROUSE, <<"rouse:events:0">>).

%% An event, or a row of the picture. Children are {Name, Attributes}.
-record(event, {name :: binary(),
		attrs = [] :: [{binary(), binary()}],
		children = [] :: [{binary(), [{binary(), binary()}]}],
		epoch :: undefined | binary(),
		at = 0 :: integer(),                % when it came into the queue, milliseconds
		chunk :: undefined | pos_integer(), % where it is saved
		tried = false :: boolean()}).       % rouse may have seen it

%% What is told of a stanza on its way to a user (docs/events.md, "Class" to "Chat").
-record(about, {class = <<"nothing">> :: binary(),
		key :: undefined | binary(),
		tag :: undefined | binary(),
		chat :: undefined | binary(),
		stranger = false :: boolean(),
		sealed = [] :: [{binary(), [{binary(), binary()}]}]}). % what only the apps of devices can read
