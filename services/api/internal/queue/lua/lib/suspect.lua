-- A client that asks for the same batch again and again is stuck, on one message perhaps. Where
-- the channel has max_deliveries, it is given half of it, then half of that, down to one: so
-- what is before that message is confirmed, and the message is known: a suspect.
--
-- A suspect that has been delivered max_deliveries times becomes a dead letter when one that comes
-- after it, tried alone, was confirmed, it was tried once more and was not, and another one was:
-- so the client works before and after. While nothing is confirmed, it is the client that does not
-- work, and nothing becomes a dead letter.
--
-- meta.answer is the id of the last entry of the last answer; ''. meta.stuck is '' or
-- "<upto> <suspect> <probes> <proofs> <tried> <trail>": the suspect is among what is pending up to
-- there ('-': there is none); the suspect, if it is known; how often others were tried in its stead,
-- and how often that was confirmed; which were tried ("<id>,<id>,…"): each confirms itself alone; and
-- the last answers that were not confirmed, "<ms>:<messages>,<ms>:<messages>,…".

local function stuck_of(q)
  local t = {upto = '-', suspect = '-', probes = 0, proofs = 0, tried = '', trail = ''}
  if q.stuck ~= '' then
    t.upto, t.suspect, t.probes, t.proofs, t.tried, t.trail = string.match(q.stuck, '^(%S+) (%S+) (%d+) (%d+) (%S*) (%S*)$')
  end
  return t
end

local function set_stuck(q, t) set(q, 'stuck', table.concat({t.upto, t.suspect, t.probes, t.proofs, t.tried, t.trail}, ' ')) end

-- pending returns what is pending from one id to another, at most n.
local function pending(from, to, n) return call('XPENDING', STREAM, GROUP, from, to, n) end

-- marked returns an epoch as the ETag of a message has it that was tried alone: the first digit's
-- highest bit is the other one. It takes the mark away, too.
local function marked(epoch) return string.format('%x', (tonumber(string.sub(epoch, 1, 1), 16) + 8) % 16) .. string.sub(epoch, 2) end

-- only tells what the id of a message confirms that a version 1 client names, which has no mark: what
-- is usual (nil), nothing (false), or that one alone (true), as it was tried in a suspect's stead.
local function only(q, id)
  if q.stuck == '' then return nil end
  local t = stuck_of(q)
  if string.find(',' .. t.tried .. ',', ',' .. id .. ',', 1, true) then return true end
  if t.suspect == '-' or id == t.suspect or #pending(t.suspect, t.suspect, 1) == 0 or #pending(t.suspect, id, 1) == 0 then return nil end
  return false
end

-- confirm_alone confirms what was tried in a suspect's stead; the second time, the suspect becomes
-- a dead letter. Returns as confirm does, and 1 if Redis does not remember the delivery.
local function confirm_alone(q, id)
  local entry, delivered = call('XRANGE', STREAM, id, id)[1], #pending(id, id, 1) > 0
  if not entry then return 1, {}, {}, 0, 0 end
  take_out(q, entry)
  forget_ends(q, {id})
  if not delivered then return 1, {}, {entry[2][4]}, 0, 1 end
  local t, dead = stuck_of(q), 0
  t.proofs = t.proofs + 1
  local p = t.suspect ~= '-' and pending(t.suspect, t.suspect, 1)[1]
  if p and t.proofs > 1 then
    local client = call('HMGET', STREAM .. ':activity', 'pulled_from', 'pulled_agent')
    bury(q, p[1], p[4], 'trail', t.trail, 'from', client[1] or '', 'agent', client[2] or '')
    t.suspect, t.proofs, dead = '-', 0, 1
  end
  set_stuck(q, t)
  return 1, {ms(id)}, {entry[2][4]}, dead, 0
end
