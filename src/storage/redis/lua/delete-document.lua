-- DeleteDocument.
--
-- KEYS[1]     the partition's meta key
-- ARGV        see time.lua, then
-- ARGV[3..4]  kind, `NAMESPACE/ID`
-- ARGV[5]     the revision that it must have
-- result      1 when it was deleted, 0 when it was not there or had another revision
--
-- @include document

local part = openPartition(KEYS[1])
local kind, name, expected = ARGV[3], ARGV[4], tonumber(ARGV[5])
local key = documentKey(part, kind, name)
if expected == 0 or documentRevision(key) ~= expected then
  return 0
end
redis.call("ZREM", documentsKey(part, kind), name)
redis.call("DEL", key)
return 1
