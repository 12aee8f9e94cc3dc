import { print } from 'graphql'
import {
  AgentAssignmentDocument,
  AgentHeartbeatDocument,
  AgentOrdersDocument,
  AgentPutResultDocument,
  AgentRegisterDocument,
  AgentReleaseDocument,
  AgentRemoveResultsDocument,
  AgentReportDocument,
  AgentServerInfoDocument,
  AgentUploadDocument,
} from '../generated/operations.ts'

/** What agents of this version send, which must work where only trusted documents are performed. */
export const AGENT_DOCUMENTS = [
  AgentServerInfoDocument,
  AgentRegisterDocument,
  AgentHeartbeatDocument,
  AgentOrdersDocument,
  AgentAssignmentDocument,
  AgentReportDocument,
  AgentUploadDocument,
  AgentPutResultDocument,
  AgentRemoveResultsDocument,
  AgentReleaseDocument,
].map((document) => print(document))
