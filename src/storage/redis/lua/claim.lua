-- Claim: says once that a key was not claimed yet.
--
-- KEYS[1]  the partition's meta key
-- ARGV     see time.lua, then
-- ARGV[3]  what is claimed
-- result   1 for the first who asks, 0 for the others
--
-- @include partition

local part = openPartition(KEYS[1])
local key = part.base .. NAMES.claim .. ARGV[3]
local expires = tonumber(read("GET", key))
if expires and expires > NOW_MS then
  return 0
end
redis.call("SET", key, int(NOW_MS + SETTINGS.claim_memory_ms), "PX", SETTINGS.claim_memory_ms)
return 1
