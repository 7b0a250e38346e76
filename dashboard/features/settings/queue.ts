/** The queue as a whole: pause, limits, and the emergency stop. */
import { useMutation, useQuery } from "convex/react";
import { api } from "../../../convex/_generated/api.js";

export function useQueueStatus() {
  return useQuery(api.queue.status, {});
}

/** The stop in force; null when there is none. */
export function useStop() {
  return useQuery(api.emergency.status, {});
}

export function useQueueActions() {
  return {
    pause: useMutation(api.queue.pause),
    resume: useMutation(api.queue.resume),
    setLimits: useMutation(api.queue.setLimits),
    setGateLimit: useMutation(api.queue.setGateLimit),
    stop: useMutation(api.emergency.stop),
    lift: useMutation(api.emergency.lift),
  };
}
