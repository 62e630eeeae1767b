-- Workflows: one string each, a JSON array whose head scripts can take apart without parsing:
--
--   [1, revision, createTime, updateTime, displayName, description, version, tasks]
--
-- `workflows` has the ids of each namespace, in their order. Revisions come from one counter for the partition, so that they grow
-- when a workflow is deleted and stored again; they are none of the log.
--
-- @include agent

local function workflowKey(part, namespace, id)
  return entityKey(part, NAMES.workflow, namespace, id)
end

-- Reads a workflow; nil when there is none.
local function loadWorkflow(part, namespace, id)
  local key = workflowKey(part, namespace, id)
  local text = read("GET", key)
  if not text then
    return nil
  end
  local revision, createTime = string.match(text, "^%[1,(%d+),(%d+),%d+,")
  if not revision then
    fail("CORRUPT", key)
  end
  return { text = text, revision = tonumber(revision), createTime = tonumber(createTime) }
end

-- Refuses callers who expect another revision. 0: any.
local function checkRevision(workflow, expected)
  local current = workflow and workflow.revision or 0
  return expected ~= 0 and expected ~= current and '["STATE_MISMATCH","' .. int(current) .. '"]' or nil
end
