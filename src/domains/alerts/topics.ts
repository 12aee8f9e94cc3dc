/** The topics that what happens to alerts is announced under. */
export const alertTopics = {
  /** The row of one alert changed. */
  changed: (alertId: string) => `alert/${alertId}`,
  /** The row of any alert changed, or there is a new one. */
  any: 'alerts',
  /** A rule was made, changed or deleted. */
  rules: 'alert-rules',
  /** A webhook has something to deliver. */
  deliveries: 'webhook-deliveries',
} as const
