-- What the scripts share. It stands in front of each of them.

-- bump changes the sums of a shard by the difference of two counts like "h1e2".
local function bump(key, old, new)
  if old == new then return end
  local change = {}
  for name, n in string.gmatch(new, '(%a)(%d+)') do change[name] = tonumber(n) end
  for name, n in string.gmatch(old, '(%a)(%d+)') do change[name] = (change[name] or 0) - n end
  for name, n in pairs(change) do
    if n ~= 0 then redis.call('HINCRBY', key, name, n) end
  end
end

-- read gives an owner's version and counts, and what is stored: "0" and "" of nobody.
local function read(owners, name)
  local value = redis.call('HGET', owners, name)
  if not value then return '0', '' end
  local version, counts = string.match(value, '^(%S+) (%w*)%[')
  return version, counts, value
end

-- stamp gives an owner another version.
local function stamp(owners, name, value, version)
  redis.call('HSET', owners, name, version .. string.sub(value, #version + 1))
end

-- A pending wake has an entry in the index of its shard. Its score is its class
-- and, below that, its due time in microseconds since 2020: exact in a double
-- until 2051. What is exact to the nanosecond stands in the row.
-- A class keeps its rank for ever; it is not that of its importance.
local RANK = {nothing = 0, silent = 1, subscription = 2, group = 3, mention = 4, message = 5, call = 6, invitation = 7}

local function member(owner, field)
  return #owner .. ' ' .. owner .. ' ' .. field
end

local function score(field, due)
  local us = tonumber(string.sub(due, 1, 16)) - 1577836800000000
  us = math.max(0, math.min(us, 999999999999999))
  return string.format('%.0f', RANK[string.match(field, '^%a+')] * 1e15 + us)
end
