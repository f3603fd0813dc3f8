-- Writes a value in the place of another. Gives 1, or 0 where that is not stored;
-- nothing stored is the same as `none`, and "*" the same as whatever is. What is
-- empty is not kept.
local from, to, none, again = unpack(ARGV)
local stored = redis.call('GET', KEYS[1]) or none
if stored ~= from and from ~= '*' and not (again == '1' and (stored == to or to == '' and stored == none)) then return 0 end
if to == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], to)
end
return 1
