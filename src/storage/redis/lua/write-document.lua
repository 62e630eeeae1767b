-- WriteDocument. A document is one string, `REVISION BODY`; those of one kind lie in one partition.
--
-- KEYS[1]     the partition's meta key
-- ARGV        see time.lua, then
-- ARGV[3..4]  kind, `NAMESPACE/ID`
-- ARGV[5]     the revision that it must have; 0: it must not be there
-- ARGV[6]     the body as JSON
-- ARGV[7]     how many of the kind a namespace may have; not given: any number. And the range of names of the
-- ARGV[8..9]  namespace, as ZLEXCOUNT takes it: its lower and its upper end
-- result      the new revision; 0 when it had another one, -1 when it would be one too many
--
-- @include document

local part = openPartition(KEYS[1])
local kind, name, expected, body = ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local limit = tonumber(ARGV[7])

local function write()
  local key = documentKey(part, kind, name)
  if documentRevision(key) ~= expected then
    return "0"
  end
  if limit and expected == 0 and read("ZLEXCOUNT", documentsKey(part, kind), ARGV[8], ARGV[9]) >= limit then
    return "-1"
  end
  local revision = int(nextOrdinal(part))
  redis.call("SET", key, revision .. " " .. body)
  redis.call("ZADD", documentsKey(part, kind), 0, name)
  return revision
end

return (within(part, write))
