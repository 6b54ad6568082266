-- Notes that a replica lives and how many polls it holds (of a worker of webhooks: queues), and forgets those that
-- have been silent for too long.
--
-- KEYS[1] -> hash: replica -> "<when it was last seen, ms by Redis's clock> <polls>"
-- ARGV[1] -> the replica
-- ARGV[2] -> polls that it holds
-- ARGV[3] -> silence after which a replica is gone, ms
--
-- Returns {replica, polls, replica, polls, …}: all that live, this one too
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local gone = now - tonumber(ARGV[3])

redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %s', now, ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local live = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local seen, polls = string.match(all[i + 1], '^(%d+) (%d+)$')
  if tonumber(seen) < gone then
    redis.call('HDEL', KEYS[1], all[i])
  else
    live[#live + 1] = all[i]
    live[#live + 1] = tonumber(polls)
  end
end
return live
