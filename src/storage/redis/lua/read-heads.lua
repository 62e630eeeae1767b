-- Where the logs stand. Makes partitions that there are not yet, and begins a new epoch where the server is another one.
--
-- KEYS    the meta key of each partition
-- ARGV    see time.lua
-- result  Redis's time in milliseconds, then epoch and revision of each partition
--
-- @include partition

local result = { int(REAL_MS) }
for _, key in ipairs(KEYS) do
  local part = openPartition(key)
  result[#result + 1] = part.epoch
  result[#result + 1] = int(part.revision)
end
return result
