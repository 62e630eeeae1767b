-- A partition: where its log stands, and which history that is.
--
-- An epoch names a history. It is part of the id of every log entry, `REVISION-EPOCH`, so an entry itself says which history it
-- belongs to. A server that is not the one that made the epoch may lack commits that somebody has seen: it was promoted, or was
-- started again from its disk. Its replication id says so, and the first script that runs there begins a new epoch.
--
-- @include time

local REPLICATION = redis.call("INFO", "replication")
if not string.find(REPLICATION, "role:master", 1, true) then
  return redis.error_reply("READONLY this server is not the primary any more")
end
local SOURCE = string.match(REPLICATION, "master_replid:(%w+)")

local function newEpoch(key)
  local digest = redis.sha1hex(SOURCE .. clock[1] .. clock[2] .. key)
  return int(tonumber(string.sub(digest, 1, 12), 16))
end

-- Reads by one command. A key of another type was not written by us.
local function read(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) == "table" and reply.err then
    if string.find(reply.err, "WRONGTYPE", 1, true) then
      fail("CORRUPT", key)
    end
    error(reply)
  end
  return reply
end

-- When a list's reply has come to so many bytes, it ends: whoever wants more asks again.
local REPLY_BYTES = 131072

local function newestRevision(log)
  local newest = read("XREVRANGE", log, "+", "-", "COUNT", 1)[1]
  return newest and tonumber(string.match(newest[1], "^%d+")) or 0
end

-- Opens the partition whose meta key is given; makes it, when there is none.
local function openPartition(metaKey)
  local base = string.sub(metaKey, 1, #metaKey - #NAMES.meta)
  local part = { meta = metaKey, base = base, log = base .. NAMES.log }
  local schema, epoch, source, revision, time, ordinal =
    unpack(read("HMGET", metaKey, "schema", "epoch", "source", "revision", "time", "ordinal"))
  if not schema then
    part.epoch, part.revision, part.time, part.ordinal = newEpoch(metaKey), newestRevision(part.log), 0, 0
    redis.call("HSET", metaKey, "schema", SETTINGS.schema, "epoch", part.epoch, "source", SOURCE,
      "revision", int(part.revision), "time", 0, "ordinal", 0)
    return part
  end
  if schema ~= SETTINGS.schema then
    fail("CORRUPT", metaKey)
  end
  part.epoch, part.revision, part.time, part.ordinal = epoch, tonumber(revision), tonumber(time), tonumber(ordinal)
  if not (epoch and source and part.revision and part.time and part.ordinal) then
    fail("CORRUPT", metaKey)
  end
  if source ~= SOURCE then
    part.epoch = newEpoch(metaKey)
    redis.call("HSET", metaKey, "epoch", part.epoch, "source", SOURCE)
  end
  return part
end

-- Writes down where the log stands.
local function closePartition(part)
  if part.dirty then
    redis.call("HSET", part.meta, "revision", int(part.revision), "time", int(part.time), "ordinal", int(part.ordinal))
    part.dirty = false
  end
end

-- Runs a command on an open partition and closes it, also when the command fails halfway. Gives up to two results.
local function within(part, command)
  local ok, first, second = pcall(command, part)
  closePartition(part)
  if not ok then
    -- pcall makes a text of what was thrown, with which error() would do as it does with texts.
    error(type(first) == "table" and first or redis.error_reply(first))
  end
  return first, second
end

-- The revision and the time of the next commit. Times of commits never go back.
local function stamp(part)
  return part.revision + 1, math.max(part.time, NOW_MS)
end

-- A place in the order of a list: microseconds since 1970, so that places of different partitions compare.
local function nextOrdinal(part)
  part.ordinal = math.max(REAL_US, part.ordinal + 1)
  part.dirty = true
  return part.ordinal
end

-- Appends one commit. It is the first write of every commit: when Redis refuses it, nothing has changed.
local function appendLog(part, revision, entry)
  redis.call("XADD", part.log, "MAXLEN", SETTINGS.log_trim, SETTINGS.log_capacity, int(revision) .. "-" .. part.epoch,
    "e", entry)
  part.revision = revision
  part.time = math.max(part.time, NOW_MS)
  part.dirty = true
end
