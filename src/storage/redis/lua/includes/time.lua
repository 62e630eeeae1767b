-- What time it is. Every script begins with this.
--
-- ARGV[1]  when the caller gives up, in milliseconds by Redis's clock: what was delayed past it does nothing
-- ARGV[2]  what the storage's clock shows, in milliseconds since 1970; empty, as it is outside tests: what Redis's clock shows
--
-- Fails with LATE and Redis's time when the caller has given up; with TRYAGAIN while the slot of a Redis Cluster is on its way to
-- another node: what is not here may be there. Nothing was done then.

-- Lua writes large numbers with an exponent unless it is told not to. What stands behind the point is cut off.
local function int(number)
  return string.format("%d", number)
end

local function fail(code, detail)
  error(redis.error_reply(code .. " " .. detail))
end

local clock = redis.call("TIME")
local REAL_MS = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
if REAL_MS > tonumber(ARGV[1]) then
  return redis.error_reply("LATE " .. int(REAL_MS))
end

-- A node that gives its slot away refuses to look for what it has not.
local probe = redis.pcall("EXISTS", KEYS[1] .. "?")
if type(probe) == "table" and probe.err then
  return redis.error_reply("TRYAGAIN the slot is on its way to another node")
end

local REAL_US = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local NOW_MS = tonumber(ARGV[2]) or REAL_MS
