-- DeleteWorkflow.
--
-- KEYS[1]    the partition's meta key
-- ARGV       see time.lua, then
-- ARGV[3..4] namespace, workflow id
-- ARGV[5]    the revision that the workflow must have; 0: any
-- result     the workflow as it was, as JSON (see workflow.lua), or a refusal whose first element is its code
--
-- @include workflow

local namespace, id, expected = ARGV[3], ARGV[4], tonumber(ARGV[5])
local part = openPartition(KEYS[1])

local workflow = loadWorkflow(part, namespace, id)
if not workflow then
  return '["WORKFLOW_NOT_FOUND"]'
end
local refusal = checkRevision(workflow, expected)
if refusal then
  return refusal
end
redis.call("DEL", workflowKey(part, namespace, id))
redis.call("ZREM", part.base .. NAMES.workflows .. namespace, id)
return workflow.text
