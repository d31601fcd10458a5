"""The websocket side of the replay exchange: connections, subscriptions, frames, pace, faults."""
