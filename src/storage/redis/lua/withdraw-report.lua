-- Gives up on a report that is held.
--
-- KEYS[1]    the partition's meta key
-- ARGV       see time.lua, then
-- ARGV[3..5] namespace, agent id, held id
-- result     what became of it: an outcome (see report.lua); AGENT_NOT_FOUND when nobody applied it, which nobody will do now
--
-- @include report

local part = openPartition(KEYS[1])
local namespace, id, heldId = ARGV[3], ARGV[4], ARGV[5]
redis.call("HDEL", entityKey(part, NAMES.held, namespace, id), heldId)
return redis.call("GET", answerKey(part, namespace, id, heldId)) or refuse("AGENT_NOT_FOUND")
