-- Admits a chunk of rows, or tells what becomes of each when it is admitted. ARGV: batch, 'admit', 'plan' or 'retake', one 0 or 1 for
-- each row (plan: 1 = an earlier chunk has its pair) or its version (retake: '2 3 2'), then the rows in packs of msgpack, which cost a third of as many arguments. Each row is a
-- list: number, request id ('' = bad row), row, pair, the ids that older versions gave the pair (the newest first, a blank between them;
-- '' = none but this), the row as a bad one in case its pair would have to be sent yet ('' = it can be sent).
-- A row that is there already changes nothing, so a chunk may come twice. But its job is another one when a picture was changed; one
-- that was bad and is good now gets its job, one that is bad now leaves its job, and one that left its job with its cancelled batch
-- joins it again.
-- plan: row may be '', and pair where the row can be sent.
-- retake: the number is that of the row of which this is a later version. A version that is there already changes nothing, whoever has
-- asked for it; the next one gets a number behind all rows; one further on is left out. The batch goes on, cancelled or not.
-- admit, retake: returns {rows new here, reused, duplicate, changed, {rows that could not be sent}, 1 if a row was written, request ids now
-- queued...}.
-- plan: changes nothing; returns for each row 'invalid', 'duplicate', or the fate of its job.
local batch, planning, retaking = ARGV[1], ARGV[2] == 'plan', ARGV[2] == 'retake'
local seen = planning and ARGV[3] or ''
local b, rows, left = key('batch', batch), key('rows', batch), key('left', batch)
-- A batch that is being pruned is no batch any more.
if not planning and (redis.call('EXISTS', b) == 0 or redis.call('HEXISTS', b, 'pruning') == 1) then
  return redis.error_reply('NOBATCH no such batch')
end
-- Most ledgers have pruned nothing: they need not be asked for each pair.
local pruned = redis.call('HEXISTS', key('meta'), 'pruned') == 1

local function is_known(rid)
  return redis.call('EXISTS', key('job', rid)) == 1 or (pruned and recall(rid) ~= nil)
end

-- Jobs that were bought under an older id keep it.
local function job_id(rid, former)
  if former == '' then return rid end
  local known = redis.call('HGET', key('aliases'), rid)
  if known then return known end
  if is_known(rid) then return rid end
  for older in string.gmatch(former, '%S+') do
    local bought = redis.call('HGET', key('aliases'), older) or older
    if is_known(bought) then
      if not planning then redis.call('HSET', key('aliases'), rid, bought) end
      return bought
    end
  end
  return rid
end

-- What becomes of a job that a manifest asks for. new, again: it is bought; asked: the task that was paid for is asked again.
local function fate(rid, state, failure)
  if not state then return 'new' end
  if state == 'succeeded' then return 'reused' end
  if state == 'cancelled' then return 'again' end
  if paid_loss(rid) then return 'asked' end
  if state == 'failed' and string.find(failure or '', '"retryable":true', 1, true) then return 'again' end
  return ENDED[state] and 'ended' or 'waiting'
end

local NEW = { refs = '', fate = fate() }

-- The number of a row's version: the one it has, or the next behind all rows; nil when the one before it is not there.
local last = retaking and tonumber(redis.call('HGET', b, 'rows') or '0')
local function number_of(row, version)
  local known, newest = redis.call('HGET', key('versions', batch), row), 1
  for number in string.gmatch(known or '', '%d+') do
    newest = newest + 1
    if newest == version then return number end
  end
  if version ~= newest + 1 then return nil end
  last = last + 1
  uncancel(batch)
  redis.call('HSET', key('versions', batch), row, known and known .. ' ' .. last or last)
  return last
end

local asked, numbers, ids = {}, {}, {}
local versions = string.gmatch(ARGV[3], '%d+')
for pack = 4, #ARGV do
  for _, each in ipairs(cmsgpack.unpack(ARGV[pack])) do
    local number = each[1]
    if retaking then number = number_of(number, tonumber(versions())) end
    if number then
      asked[#asked + 1] = each
      numbers[#numbers + 1] = tostring(number)
      if each[2] ~= '' then ids[#ids + 1] = each[2] end
    end
  end
end
-- The producer takes a cancellation back before it begins; this one came while it fed.
local cancelled = not planning and redis.call('HGET', b, 'cancelled')

-- Of most manifests no job is there: one command finds that out for a thousand. A pair that was pruned is none of these.
local looked_at = {}
for first = 1, #ids, 1000 do
  local last, keys = math.min(first + 999, #ids), {}
  for at = first, last do keys[at - first + 1] = key('job', ids[at]) end
  if not pruned and redis.call('EXISTS', unpack(keys)) == 0 then
    for at = first, last do looked_at[ids[at]] = NEW end
  end
end
local function look(rid)
  local job = looked_at[rid]
  if job then return job end
  local found = redis.call('HMGET', key('job', rid), 'state', 'refs', 'failure', 'claim', 'pair')
  local state = found[1]
  local memory = pruned and not state and not found[2] and recall(rid)
  if memory then
    job = { refs = '', memory = memory, fate = memory.how == 'a' and 'again' or memory.how == 'r' and 'ended' or 'bought_before' }
    looked_at[rid] = job
    return job
  end
  -- Of most manifests most are: one table for all of them.
  job = not state and not found[2] and NEW or { state = state, refs = found[2] or '', waits = state == 'queued' and not found[4], pair = found[5],
    fate = fate(rid, state, found[3]) }
  if pruned and state == 'cancelled' then
    -- A person had it bought anew, and took that back: without their word it is not bought again.
    local known = recall(rid)
    if known and known.how ~= 'a' then job.fate = 'ended' end
  end
  looked_at[rid] = job
  return job
end

local function must_be_sent(rid, pair)
  local job = look(rid)
  return job.fate == 'new' or job.fate == 'again' or (job.waits and job.pair == pair)
end

local before = not planning and #numbers > 0 and redis.call('HMGET', rows, unpack(numbers)) or {}
local some_left = redis.call('EXISTS', left) == 1
local fresh, back, fixed, changed, bad = 0, 0, 0, 0, 0
-- order, groups: rows that join a job, by job; leaving: those that leave one; told: those that are bad now.
local fates, here, order, groups, leaving, told, ended, written = {}, {}, {}, {}, {}, {}, {}, {}
for at, number in ipairs(numbers) do
  local _, rid, row, pair, former, unsendable = unpack(asked[at])
  local sendable = unsendable == ''
  if rid ~= '' then
    local id = job_id(rid, former)
    if id ~= rid and planning then
      rid = id
    elseif id ~= rid then
      local first, last = string.find(row, '"job":"' .. rid .. '"', 1, true)
      row = string.sub(row, 1, first - 1) .. '"job":"' .. id .. '"' .. string.sub(row, last + 1)
      rid = id
    end
    local shared = here[rid] or string.sub(seen, at, at) == '1'
    if not sendable and not shared and must_be_sent(rid, pair) then
      rid, row = '', unsendable
      ended[#ended + 1] = number
    end
    if planning then fates[at] = rid == '' and 'invalid' or shared and 'duplicate' or look(rid).fate end
    if rid ~= '' then here[rid] = true end
  elseif planning then
    fates[at] = 'invalid'
  end
  local was = before[at]
  local had_left = was and not planning and some_left and redis.call('HDEL', left, number) == 1
  if not planning and (was ~= row or had_left) then
    written[#written + 1] = number
    written[#written + 1] = row
    -- Cells are texts: nothing else in a row's JSON reads like this.
    local was_bad = was and string.find(was, '"bad":{', 1, true)
    local old = was and not was_bad and not had_left and job_of(was)
    if not was then fresh = fresh + 1 elseif had_left then back = back + 1 elseif was_bad then fixed = fixed + 1 end
    if old and old ~= rid then
      leaving[old] = leaving[old] or {}
      leaving[old][number] = true
      changed = changed + 1
    end
    if rid == '' then
      bad = bad + 1
      told[#told + 1] = number
    elseif old ~= rid then
      local group = groups[rid]
      if not group then
        group = { numbers = {}, any_pair = pair }
        groups[rid] = group
        order[#order + 1] = rid
      end
      group.numbers[#group.numbers + 1] = number
      if sendable then group.pair = group.pair or pair end
    end
  end
end
if planning then return fates end

for first = 1, #written, 1000 do
  redis.call('HSET', rows, unpack(written, first, math.min(first + 999, #written)))
end
for _, number in ipairs(told) do redis.call('XADD', key('out', batch), '*', 'row', number) end

-- Written at the end, in one go; what other steps write meanwhile adds up with it.
local counted = {}
local function count(name, by)
  counted[name] = (counted[name] or 0) + by
end

local function joined(refs, text)
  -- ';' on both sides makes the batch's own segment findable without patterns.
  local at = string.find(';' .. refs, ';' .. batch .. '=', 1, true)
  if not at then return (refs == '' and '' or refs .. ';') .. batch .. '=' .. text, false end
  local stop = string.find(refs .. ';', ';', at, true)
  return string.sub(refs, 1, stop - 1) .. ',' .. text .. string.sub(refs, stop), true
end

-- A job that was pruned is there again as it ended: what was bought has no picture any more, and only a person buys it anew.
local function recalled(rid, memory)
  local job, failed = key('job', rid), memory.how ~= 'r'
  local day, failure = day_of(memory.ms)
  if failed then
    failure = { kind = 'bought_before', retryable = false, owner = 'merch', message = (memory.how == 'p' and 'Perhaps bought' or 'Bought')
      .. ' on ' .. day .. '; the ledger was pruned since, and its picture is no longer kept. To buy it anew: vton retry BATCH --lost' }
  else
    failure = { kind = 'moderated', retryable = false, owner = 'merch', message = 'Rejected by moderation on ' .. day }
  end
  redis.call('HSET', job, 'finished_ms', memory.ms, 'failure', cjson.encode(failure))
  for _, task in ipairs(memory.tasks) do redis.call('HSETNX', key('tasks'), task, rid) end
  if memory.tasks[1] then redis.call('HSET', job, 'task_id', table.remove(memory.tasks, 1)) end
  return failed and 'failed' or 'rejected'
end

local reused, duplicate, queued, also = 0, 0, {}, {}
for _, rid in ipairs(order) do
  local members, pair, job, seen_as = groups[rid].numbers, groups[rid].pair, key('job', rid), look(rid)
  local text, state = table.concat(members, ','), seen_as.state
  local refs, known = joined(seen_as.refs, text)
  if cancelled and not known and (seen_as.waits or (state == 'failed' and seen_as.fate ~= 'ended')) then
    -- It is others' now, and stays as it is.
    count('n:cancelled', #members)
    for _, number in ipairs(members) do leave_with_batch(batch, number) end
  elseif not state then
    local memory = seen_as.memory
    local over = memory and memory.how ~= 'a'
    state = over and recalled(rid, memory) or cancelled and 'cancelled' or 'queued'
    redis.call('HSET', job, 'state', state, 'v', 1, 'pair', groups[rid].any_pair, 'refs', refs, 'batch', batch, 'queued_ms', now)
    if memory and #memory.tasks > 0 then redis.call('HSET', job, 'past', table.concat(memory.tasks, ' ')) end
    duplicate = duplicate + #members - 1
    count('n:' .. state, #members)
    if over or cancelled then
      if not over then redis.call('HSET', job, 'finished_ms', now) end
      redis.call('XADD', key('out', batch), '*', 'job', rid, 'v', 1)
    else
      count('open', #members)
      queued[#queued + 1] = rid
    end
  else
    redis.call('HSET', job, 'refs', refs)
    -- What is not under way takes the newest address: the older one may have ended. A file that `vton recover` has brought in has no
    -- digest: nothing sends it, so that its place may be taken at any time.
    if pair and pair ~= seen_as.pair and (seen_as.waits or (ENDED[state] and state ~= 'succeeded')
        or string.find(seen_as.pair or '', ',""]', 1, true)) then
      redis.call('HSET', job, 'pair', pair)
    end
    duplicate = duplicate + #members - (known and 0 or 1)
    count('n:' .. state, #members)
    if not known and not cancelled and seen_as.fate == 'asked' then
      -- Its task was paid for and may have the picture after all: that is asked, nothing is bought.
      ask_old_task(rid)
    elseif not known and not cancelled and seen_as.fate == 'again' then
      -- Nobody has it and nothing forbids it: this batch asks once more. The other batches wait with it.
      redis.call('HSET', job, 'batch', batch)
      forget_task(rid, 'renewed')
      move(rid, 'queued')
      queued[#queued + 1] = rid
    elseif ENDED[state] then
      if state == 'succeeded' and not known then reused = reused + 1 end
      redis.call('XADD', key('out', batch), '*', 'job', rid, 'v', redis.call('HGET', job, 'v'), 'rows', text)
    else
      count('open', #members)
      if state == 'queued' and not known and not redis.call('ZSCORE', key('retry'), rid) then
        -- It waits in another batch's line already; in ours too, should that batch be over its budget.
        also[#also + 1] = rid
      end
    end
  end
end

-- Rows whose picture was changed are no longer their former job's: what waits and nobody else wants is not bought.
for rid, gone in pairs(leaving) do
  local job = key('job', rid)
  local found = redis.call('HMGET', job, 'state', 'refs', 'claim', 'finished_ms')
  local refs, went, stays, wanted = without(found[2], batch, gone)
  local mine = #went
  if mine > 0 then
    redis.call('HSET', job, 'refs', refs)
    duplicate = duplicate - mine + (stays and 0 or 1)
    count('n:' .. found[1], -mine)
    if not ENDED[found[1]] then count('open', -mine) end
    if found[1] == 'succeeded' and not stays and tonumber(found[4] or now) < tonumber(redis.call('HGET', b, 'created_ms')) then
      reused = reused - math.min(1, reused + tonumber(redis.call('HGET', b, 'reused') or '0'))
    end
    if found[1] == 'queued' and not found[3] and not stays then leave_line(rid, wanted) end
  end
end

-- What the manifest was fed with stays as it is: later versions are none of its rows.
if retaking and fresh > 0 then
  count('retakes', fresh)
  redis.call('ZADD', key('active'), now, batch)
elseif not retaking and #written > 0 then
  count('row_writes', 1)
end
count('n:invalid', bad - fixed)
count('n:cancelled', -back)
count('rows', fresh)
count('reused', reused)
count('duplicate', duplicate)
for name, by in pairs(counted) do
  if by ~= 0 then redis.call('HINCRBY', b, name, by) end
end
if fresh + back + fixed + changed > 0 then
  redis.call('HDEL', b, 'completed_ms')
  -- The line's own jobs may all have ended long ago, and a batch that was sealed is not sealed again by a retry.
  complete(b)
end
for _, line in ipairs({ queued, also }) do
  for first = 1, #line, 1000 do
    redis.call('RPUSH', key('queued', batch), unpack(line, first, math.min(first + 999, #line)))
  end
  if #line > 0 and not redis.call('LPOS', key('ring'), batch) then redis.call('RPUSH', key('ring'), batch) end
end
return { fresh, reused, duplicate, changed, ended, #written > 0 and 1 or 0, unpack(queued) }
