import { builder } from '../../graphql/builder.ts'
import type { AuditAction } from './record.ts'

/** What is written down. */
export const AuditActionEnum = builder.enumType('AuditAction', {
  description: 'What is written down.',
  values: {
    SIGNED_IN: {
      description:
        'A person signed in with a password. Nobody was signed in yet, so the person is the target.',
    },
    SIGN_IN_REFUSED: {
      description: 'A sign-in was refused; the target is the account, where there is one of that name.',
    },
    SIGNED_OUT: { description: 'A person ended the sign-in that they used.' },
    SIGNED_OUT_EVERYWHERE: { description: 'A person ended all their sign-ins, or all others.' },
    SESSION_REVOKED: { description: 'A sign-in was ended from elsewhere.' },
    REFRESH_TOKEN_REUSED: {
      description:
        'A refresh token was used that had been replaced: somebody has a copy, and the sign-in was ended.',
    },
    PASSWORD_CHANGED: {
      description: 'A password was changed by who knew the old one, or by the settings of the server.',
    },
    PASSWORD_RESET_REQUESTED: { description: 'A link that sets a new password was asked for, or made.' },
    PASSWORD_RESET: { description: 'A new password was set through such a link.' },
    API_TOKEN_CREATED: { description: 'An API token was made.' },
    API_TOKEN_REVOKED: { description: 'An API token was revoked.' },
    INVITATION_CREATED: { description: 'Somebody was invited to make an account.' },
    INVITATION_REVOKED: { description: 'An invitation was taken back.' },
    USER_REGISTERED: { description: 'A person made an account for themselves.' },
    USER_CREATED: { description: 'An account was made for a person.' },
    USER_UPDATED: { description: 'An account was changed: its name, its address or its preferences.' },
    USER_ROLE_CHANGED: { description: 'An account got another role on the server.' },
    USER_DEACTIVATED: { description: 'An account was closed for the time being.' },
    USER_REACTIVATED: { description: 'An account was opened again.' },
    USER_DELETED: { description: 'An account was deleted.' },
    PROJECT_CREATED: { description: 'A project was made.' },
    PROJECT_UPDATED: { description: 'A project was changed.' },
    PROJECT_DELETED: { description: 'A project was deleted with its runs.' },
    PROJECT_MEMBER_SET: { description: 'A person became a member of a project, or got another role in it.' },
    PROJECT_MEMBER_REMOVED: { description: 'A person is no longer a member of a project.' },
    DATASET_CREATED: { description: 'A dataset was made.' },
    DATASET_UPDATED: { description: 'A dataset was changed.' },
    DATASET_DELETED: { description: 'A dataset was deleted with its files.' },
    DATASET_FILE_UPLOADED: { description: 'A file was added to a dataset.' },
    DATASET_FILE_DELETED: { description: 'A file was taken from a dataset.' },
    TRAIN_CONFIG_UPLOADED: { description: 'A dataset got a train config.' },
    TRAIN_CONFIG_DELETED: { description: 'The train config of a dataset was deleted.' },
    RUN_STARTED: { description: 'A run was started.' },
    RUN_RESUMED: { description: 'A run was started that continues another one.' },
    RUN_CANCELLED: { description: 'A run was cancelled.' },
    ARTIFACT_REGISTERED: { description: 'An artifact was registered by a request.' },
    ARTIFACT_TAGGED: { description: 'An artifact was tagged.' },
    ARTIFACT_UNTAGGED: { description: 'A tag was taken off an artifact.' },
    LAUNCHER_CREATED: { description: 'A launcher was made.' },
    LAUNCHER_UPDATED: { description: 'A launcher was changed.' },
    LAUNCHER_DELETED: { description: 'A launcher was deleted.' },
    DEPLOYMENT_CREATED: { description: 'A model was deployed.' },
    DEPLOYMENT_STARTED: { description: 'A deployment that had stopped or failed was started again.' },
    DEPLOYMENT_UPDATED: { description: 'A deployment was changed.' },
    DEPLOYMENT_STOPPED: { description: 'A deployment was stopped.' },
    DEPLOYMENT_DELETED: { description: 'A deployment was deleted.' },
    ENGINE_CREATED: { description: 'An engine was defined.' },
    ENGINE_UPDATED: { description: 'An engine was changed.' },
    ENGINE_DELETED: { description: 'An engine was deleted.' },
    COMPUTE_NODE_REGISTERED: {
      description: 'A machine became a compute node, or took the place of one whose token was gone.',
    },
    AUDIT_EXPORTED: { description: 'A link to a file of these events was made.' },
    KEYS_ROTATED: { description: 'The keys of the server were replaced.' },
  } satisfies Record<AuditAction, object>,
})
