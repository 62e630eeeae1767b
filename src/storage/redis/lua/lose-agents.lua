-- Makes LOST the agents that are due to be.
--
-- KEYS     the meta key of each partition
-- ARGV     see time.lua, then
-- ARGV[3]  only those of this namespace; empty: all
-- ARGV[4]  how many in each partition, at most
-- result   how many became LOST; 1 when there is more to do
--
-- @include lease

local namespace, budget = ARGV[3], tonumber(ARGV[4])
local lost, more = 0, 0

local function lose(part)
  local left = budget
  for _, member in ipairs(redis.call("ZRANGE", part.base .. NAMES.overdue, 0, -1)) do
    local ofNamespace, id = string.match(member, "^([^/]*)/(.*)$")
    if namespace == "" or namespace == ofNamespace then
      if left == 0 then
        more = 1
        return
      end
      left = left - 1
      local ok, agent = pcall(loadAgent, part, ofNamespace, id)
      if ok and agent then
        observe(agent, LOST)
        saveAgent(agent)
        lost = lost + 1
      end
      redis.call("ZREM", part.base .. NAMES.overdue, member)
    end
  end
end

for _, key in ipairs(KEYS) do
  within(openPartition(key), lose)
end
return { lost, more }
