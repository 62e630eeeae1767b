-- ReleaseSlot: frees the room of an attempt, if it has any.
--
-- KEYS[1]    the partition's meta key
-- ARGV       see time.lua, then
-- ARGV[3..4] namespace, agent id
-- ARGV[5]    session and task, as `SESSION/TASK`
-- ARGV[6]    the attempt
-- result     1 when there was one, else 0
--
-- @include agent

local part = { base = string.sub(KEYS[1], 1, #KEYS[1] - #NAMES.meta) }
local key = entityKey(part, NAMES.slots, ARGV[3], ARGV[4])
local held = read("HGET", key, ARGV[5])
if not held or string.match(held, "^%d+") ~= ARGV[6] then
  return 0
end
return redis.call("HDEL", key, ARGV[5])
